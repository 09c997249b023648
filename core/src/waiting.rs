//! Waiting for several futures at once, without spawning any.
//!
//! Why our own: it is little, and `futures-util` with what it brings is four crates and a twentieth of everyone's cold
//! build. Each wake-up polls all that are under way, which is right for the handful of calls that a wave has at once.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// Runs all of them to their ends, `at_most` at once; what they gave, in their order. Dropping it drops them all.
///
/// They are boxed before the first wait: an iterator with a closure in it, held over one, keeps rustc from seeing that
/// the whole `load()` is `Send`, and an application could not wait for it on a thread pool.
pub(crate) fn all<'f, F: Future + Send + 'f>(
    futures: impl IntoIterator<Item = F>,
    at_most: usize,
) -> Any<'f, Vec<F::Output>>
where
    F::Output: Send + 'f,
{
    let futures = futures.into_iter().map(|future| Box::pin(future) as Any<'f, F::Output>);
    Box::pin(all_boxed(futures.collect(), at_most))
}

async fn all_boxed<T>(futures: Vec<Any<'_, T>>, at_most: usize) -> Vec<T> {
    let mut waiting = futures.into_iter();
    let mut running: Vec<(usize, Any<'_, T>)> = Vec::new();
    let mut done: Vec<Option<T>> = Vec::new();
    poll_fn(|context| {
        loop {
            while running.len() < at_most.max(1) {
                let Some(future) = waiting.next() else { break };
                running.push((done.len(), future));
                done.push(None);
            }
            let before = running.len();
            running.retain_mut(|(n, future)| match future.as_mut().poll(context) {
                Poll::Ready(output) => {
                    done[*n] = Some(output);
                    false
                }
                Poll::Pending => true,
            });
            if before == 0 {
                return Poll::Ready(());
            }
            if running.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// Runs both to their ends.
pub(crate) async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut one, mut other) = (None, None);
    poll_fn(move |context| {
        if one.is_none()
            && let Poll::Ready(output) = a.as_mut().poll(context)
        {
            one = Some(output);
        }
        if other.is_none()
            && let Poll::Ready(output) = b.as_mut().poll(context)
        {
            other = Some(output);
        }
        match (one.take(), other.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (one, other) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// A future whose type does not matter.
pub(crate) type Any<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// What the first of them gives that ends; of several, the one that stands first. The others are dropped.
#[cfg_attr(
    all(target_family = "wasm", target_os = "unknown"),
    allow(dead_code, reason = "only the Keeper needs it, and there is none on the edge")
)]
pub(crate) async fn first<T>(mut futures: Vec<Any<'_, T>>) -> T {
    poll_fn(move |context| {
        let ready = futures.iter_mut().find_map(|future| match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        });
        ready.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn all_run_side_by_side_and_no_more_than_allowed() {
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let one = |n: u64| {
            let (now, most) = (&now, &most);
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(10 - n)).await;
                now.fetch_sub(1, Ordering::Relaxed);
                n
            }
        };
        let began = tokio::time::Instant::now();
        assert_eq!(all((0..10).map(one), 3).await, (0..10).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::Relaxed), 3);
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "55 s of sleep, three at once: {:?}",
            began.elapsed()
        );
        assert!(all(Vec::<std::future::Ready<u8>>::new(), 0).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn both_take_as_long_as_the_longer() {
        let wait = |seconds| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            seconds
        };
        let began = tokio::time::Instant::now();
        assert_eq!(both(wait(3), wait(5)).await, (3, 5));
        assert_eq!(began.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_wins_and_of_equals_the_one_before() {
        let wait = |seconds, says| -> Any<'static, &'static str> {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                says
            })
        };
        assert_eq!(first(vec![wait(5, "late"), wait(2, "early"), wait(2, "as early")]).await, "early");
    }
}

//! Waiting for several futures at once, without spawning any.
//!
//! Why our own: it is little, and `futures-util` with what it brings is four crates and a twentieth of everyone's cold
//! build. Each wake-up polls all that are under way, which is right for the handful of calls that a wave has at once.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// Runs all of them to their ends, `at_most` at once; what they gave, in their order. Dropping it drops them all.
pub(crate) async fn all<F: Future>(futures: impl IntoIterator<Item = F>, at_most: usize) -> Vec<F::Output> {
    let mut waiting = futures.into_iter();
    let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let mut done: Vec<Option<F::Output>> = Vec::new();
    poll_fn(|context| {
        loop {
            while running.len() < at_most.max(1) {
                let Some(future) = waiting.next() else { break };
                running.push((done.len(), Box::pin(future)));
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
#[cfg_attr(
    all(target_family = "wasm", target_os = "unknown"),
    allow(dead_code, reason = "only the Keeper needs it, and there is none on the edge")
)]
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
    use std::cell::Cell;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn all_run_side_by_side_and_no_more_than_allowed() {
        let (now, most) = (Cell::new(0), Cell::new(0));
        let one = |n: u64| {
            let (now, most) = (&now, &most);
            async move {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                tokio::time::sleep(Duration::from_secs(10 - n)).await;
                now.set(now.get() - 1);
                n
            }
        };
        let began = tokio::time::Instant::now();
        assert_eq!(all((0..10).map(one), 3).await, (0..10).collect::<Vec<_>>());
        assert_eq!(most.get(), 3);
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

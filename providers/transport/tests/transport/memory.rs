//! Blocks of ours that held a body are wiped when they are freed. hyper's buffers are not ours: each fetch leaves
//! those of its connection, and no more, which `core/docs/threat-model.md` lists.

use crate::server::{AMPLE, Server, get, ok};
use secretfig_tests::ScanAlloc;
use secretfig_transport::{Settings, Transport};

const CANARY: &[u8] = b"q7Fz2LmXw9RbT4KcVn8YdH3s";

#[test]
fn a_body_leaves_nothing_but_the_read_buffer() {
    ScanAlloc::watch(CANARY);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // small, and grown over several blocks: the canary stands in the first, which is moved five times
        for filler in [0, 300_000] {
            let server = Server::plain(move |mut line| async move {
                // in two static halves, so that the server's own buffers hold no canary
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n18\r\n";
                line.say(head).await;
                line.say(CANARY).await;
                line.say("\r\n").await;
                for _ in 0..filler / 10_000 {
                    line.say(format!("2710\r\n{}\r\n", "x".repeat(10_000))).await;
                }
                line.say("0\r\n\r\n").await;
                line.end().await;
            })
            .await;
            let before = ScanAlloc::hits_of(CANARY);
            let transport = Transport::new(Settings::default()).unwrap();
            let reply = get(&transport, &server.url("/"), AMPLE).await.unwrap();
            assert!(reply.body().starts_with(CANARY));
            let (held, document) = (reply.body().slice(4..), reply.document());
            drop((reply, held, document, transport));
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let hits = ScanAlloc::hits_of(CANARY) - before;
            assert!(hits <= 2, "{hits} blocks of {filler}: {:?}", ScanAlloc::list());
        }
    });
    // and the allocator does see what is not wiped
    let before = ScanAlloc::hits_of(CANARY);
    drop(ok(CANARY));
    assert!(ScanAlloc::hits_of(CANARY) > before);
}

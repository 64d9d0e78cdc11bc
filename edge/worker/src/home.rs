//! Keeps a request's work in the request's own context.
//!
//! An isolate serves many requests at once, and workerd binds each timer, stream and `fetch` to the request in whose
//! context it is made; used in another one it fails, or ends with that one. A future of ours may be woken by another
//! request, as when a miner's upload ends and the miner's next one begins, and would then go on in the context of whoever
//! woke it. So a wake-up goes by way of a promise that was made at home: workerd takes what follows a promise back to
//! the context in which it was made (`handle_cross_request_promise_resolution`, on by default since 2024-10-14).

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use wasm_bindgen::JsValue;
use worker::js_sys::{Function, Promise};
use worker::send::SendWrapper;
use worker::wasm_bindgen_futures::JsFuture;

/// Runs a future in the context of the request that this is called in, whoever wakes it.
pub(crate) async fn stay_home<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut ring = bell.hang();
    poll_fn(|context| {
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(output);
            }
            // The promise is never rejected.
            let _ = ready!(Pin::new(&mut ring).poll(context));
            ring = bell.hang();
        }
    })
    .await
}

/// Wakes a future by fulfilling a promise.
#[derive(Default)]
struct Bell {
    /// Fulfils the promise; none once it has been called.
    pull: SendWrapper<RefCell<Option<Function>>>,
}

impl Bell {
    /// Makes a promise of the next wake-up.
    fn hang(&self) -> JsFuture {
        let mut fulfil = None;
        let promise = Promise::new(&mut |resolve, _| fulfil = Some(resolve));
        self.pull.replace(fulfil);
        JsFuture::from(promise)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let fulfil = self.pull.take();
        if let Some(fulfil) = fulfil {
            // It throws nothing.
            let _ = fulfil.call1(&JsValue::UNDEFINED, &JsValue::UNDEFINED);
        }
    }
}

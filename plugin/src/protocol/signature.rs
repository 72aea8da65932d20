//! A decoded KuraPayload as `trust` wants to see it. Nothing is judged here.

use super::request::Request;
use crate::trust::SignedView;

impl Request {
    /// What the signature of this request covers.
    pub fn signed_view(&self) -> SignedView<'_> {
        SignedView {
            account: &self.topic.account,
            client_id: &self.topic.client_id,
            application_topic: &self.application_topic,
            payload: &self.payload,
        }
    }
}

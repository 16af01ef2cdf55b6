//! Messages from elsewhere: each is recorded once.

use mainstay_model::fact::{Fact, HookReceived};
use mainstay_model::resource::{Kind, ResourceKey};

use super::not_found;
use crate::command::{Refusal, RefusalKind};
use crate::state::State;

pub(super) fn receive(state: &State, received: HookReceived) -> Result<Vec<Fact>, Refusal> {
    if state
        .main
        .resource(&ResourceKey::new(Kind::Hook, &received.hook))
        .is_none()
    {
        return Err(not_found(format!("there is no hook `{}`", received.hook)));
    }
    if state.rests() {
        return Err(Refusal {
            kind: RefusalKind::Conflict,
            code: "MS0827",
            message: "this home is a copy and rests: it takes in no messages".to_owned(),
            help: Some("send it to the original, or let the copy act: mainstay resume".to_owned()),
        });
    }
    let seen = state.hooks.get(&received.hook);
    if seen.is_some_and(|hook| hook.ids.contains(&received.id)) {
        return Ok(Vec::new());
    }
    Ok(vec![received.into()])
}

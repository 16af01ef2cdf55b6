//! `serve`, `trust`, `token`: the service, and who may use it.

use std::time::Duration;

use mainstay_api::{Error, ErrorKind, TokenReport};
use mainstay_http::{Announced, Event, Limits, Said, ServeOptions};
use mainstay_model::{Role as TokenRole, TokenId};
use mainstay_server::{Access, Role};
use serde_json::json;

use super::{moment, time, with};
use crate::args::{Global, ServeArgs, TokenAction};
use crate::output::{Output, Style};
use crate::table::table;
use crate::{Done, context};

pub(super) fn serve(global: &Global, args: &ServeArgs, output: &Output) -> Result<Done, Error> {
    let project = context::project(global)?;
    let options = ServeOptions {
        home: context::home(global, project.as_deref())?,
        journal: context::journal(global)?,
        project,
        context: context::person(global),
        wait: global.wait.map(Duration::from_secs),
        standby: args.standby,
        listen: args.listen.clone(),
        certificate: args.certificate.clone().zip(args.key.clone()),
        limits: Limits::default(),
    };
    mainstay_http::serve(&options, &|event| tell(&event, output))?;
    output.note("ended");
    Ok(Done::Well)
}

fn tell(event: &Event, output: &Output) {
    match event {
        Event::Answers(announced) => announce(announced, output),
        Event::Standby(Said::Trouble(error)) => output.error(error),
        Event::Standby(Said::Follows(leader)) if leader.is_empty() => output.note("nobody serves"),
        Event::Standby(Said::Follows(leader)) => output.note(&format!("standing by: {leader} serves")),
        Event::TookOver { from, owner, notices } => {
            for notice in notices {
                output.note(notice);
            }
            if output.is_json() {
                let role = Role::Leads.name();
                output.document_line(&json!({ "role": role, "after": from, "owner_token": owner }));
                return;
            }
            output.line(format!("took over from {from}: this server serves now"));
            tell_owner(owner.as_deref(), output);
        }
    }
}

fn tell_owner(secret: Option<&str>, output: &Output) {
    if let Some(secret) = secret {
        output.line(format!(
            "the owner's token, shown once: {}",
            output.paint(Style::Bold, secret)
        ));
    }
}

fn announce(announced: &Announced, output: &Output) {
    for notice in &announced.notices {
        output.note(notice);
    }
    if output.is_json() {
        output.document_line(&json!({
            "socket": announced.socket,
            "url": announced.url,
            "owner_token": announced.owner,
            "role": announced.role.name(),
            "leader": announced.leader,
        }));
        return;
    }
    let does = match announced.role {
        Role::Leads => "serving",
        Role::StandsBy | Role::TakesOver => "standing by",
    };
    output.line(format!("{does} on {}", announced.socket.display()));
    if let Some(url) = &announced.url {
        output.line(format!("{does} on {url}"));
    }
    tell_owner(announced.owner.as_deref(), output);
    if let Some(leader) = &announced.leader {
        output.note(&format!(
            "{leader} serves; this server takes over when that is gone"
        ));
    }
    output.note("Ctrl-C ends it; commands on this machine find it by themselves");
}

pub(super) fn trust(global: &Global, output: &Output) -> Result<Done, Error> {
    let project = context::project(global)?;
    let home = context::home(global, project.as_deref())?;
    let authority = mainstay_http::authority(&home)?;
    if output.is_json() {
        output.document(&json!({ "authority": authority }));
    } else {
        output.raw(authority.as_bytes());
    }
    Ok(Done::Well)
}

pub(super) fn token(global: &Global, action: &TokenAction, output: &Output) -> Result<Done, Error> {
    match action {
        TokenAction::Create { name, role, expires } => {
            let role = role
                .parse::<TokenRole>()
                .map_err(|e| Error::new(ErrorKind::Invalid, "MS0808", e))?;
            let expires = expires.as_deref().map(time).transpose()?;
            let made = with(global, Access::Write, output, |desk| {
                desk.create_token(name, role, expires)
            })?;
            if output.is_json() {
                output.document(&made);
                return Ok(Done::Well);
            }
            show(std::slice::from_ref(&made), output);
            if let Some(secret) = &made.secret {
                output.line(format!(
                    "the token, shown once: {}",
                    output.paint(Style::Bold, secret)
                ));
            }
        }
        TokenAction::List => {
            let report = with(global, Access::Read, output, |desk| desk.tokens())?;
            if output.is_json() {
                output.document(&report);
            } else {
                show(&report.tokens, output);
            }
        }
        TokenAction::Revoke { token } => {
            let bare = token.strip_prefix("token/").unwrap_or(token);
            let id = bare.parse::<TokenId>().map_err(|_| {
                Error::new(ErrorKind::Invalid, "MS0007", format!("`{token}` is not a token"))
                    .help("tokens look like T-3; mainstay token list shows them")
            })?;
            let revoked = with(global, Access::Write, output, |desk| desk.revoke_token(id))?;
            if output.is_json() {
                output.document(&revoked);
            } else {
                show(std::slice::from_ref(&revoked), output);
            }
        }
    }
    Ok(Done::Well)
}

fn show(tokens: &[TokenReport], output: &Output) {
    let row = |t: &TokenReport| {
        let state = match (t.active, t.revoked) {
            (true, _) => "active",
            (false, Some(_)) => "revoked",
            (false, None) => "expired",
        };
        vec![
            t.token.clone(),
            t.name.clone(),
            t.role.clone(),
            state.to_owned(),
            moment(t.created),
            t.expires.map_or_else(|| "never".to_owned(), moment),
            t.who.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = tokens.iter().map(row).collect();
    let headings = ["token", "name", "role", "state", "made", "expires", "by"];
    output.raw(table(&headings, &rows).as_bytes());
}

/// Says that a command needs the home itself.
pub(super) fn not_there(global: &Global, command: &str) -> Result<(), Error> {
    match &global.server {
        None => Ok(()),
        Some(_) => Err(Error::new(
            ErrorKind::Invalid,
            "MS0822",
            format!("`mainstay {command}` does its work in a home on this machine, not at a server"),
        )
        .help("leave out --server and MAINSTAY_SERVER")),
    }
}

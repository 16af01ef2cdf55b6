//! What a server knows of its part: whether it leads or stands by, whom it follows, how far behind it is, and what is wrong.
//!
//! Looking costs no lock that anybody holds for long: health is asked for while the journal's database is away, too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mainstay_api::{Error, ErrorKind, Finding};
use mainstay_journal::Lease;

use crate::doctor::{failed, good};
use crate::metrics::{Family, Kind};

/// After so long without a word from a writer another one may take over.
const LEASE: Duration = Duration::from_secs(3);

/// What a server is among those of one journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It is the one writer.
    #[default]
    Leads,
    /// It follows the one who is.
    StandsBy,
    /// It is about to be the writer, and not ready yet.
    TakesOver,
}

impl Role {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leads => "leader",
            Self::StandsBy | Self::TakesOver => "standby",
        }
    }
}

/// What a server knows of its part.
#[derive(Debug, Default)]
pub struct Standing(Mutex<About>);

#[derive(Debug, Default)]
struct About {
    role: Role,
    /// Of a writer: what it knows of its turn.
    lease: Option<Arc<Lease>>,
    /// Who writes, for people; none if nobody is heard of.
    leader: Option<String>,
    /// How many frames are not folded yet.
    behind: u64,
    /// The newest frame whose digest was that of the state here; 0 if none was compared.
    compared: u64,
    /// When everything was folded last.
    whole: Option<Instant>,
    /// Why it would not take over now.
    trouble: Option<Error>,
}

impl Standing {
    fn about(&self) -> MutexGuard<'_, About> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what the server is.
    pub fn role(&self) -> Role {
        self.about().role
    }

    /// Returns who writes, as far as one that stands by knows.
    pub fn leader(&self) -> Option<String> {
        self.about().leader.clone()
    }

    /// Returns why it would not take over now.
    pub fn why_not(&self) -> Option<Error> {
        self.about().trouble.clone()
    }

    /// Returns how many frames one that stands by has not folded yet, and for how long that is so.
    pub fn behind(&self) -> (u64, Duration) {
        let about = self.about();
        (about.behind, about.whole.map_or(Duration::ZERO, |w| w.elapsed()))
    }

    /// Returns why this server does nothing that changes anything: it stands by.
    pub fn refusal(&self) -> Option<Error> {
        let about = self.about();
        let message = match (about.role, &about.leader) {
            (Role::Leads, _) => return None,
            (Role::TakesOver, _) => "this server is taking over right now".to_owned(),
            (Role::StandsBy, Some(leader)) => format!("this server stands by: {leader} serves"),
            (Role::StandsBy, None) => "this server stands by, and nobody serves right now".to_owned(),
        };
        let mut error = Error::new(ErrorKind::Unavailable, "MS0840", message)
            .help("ask the one that serves: --server and MAINSTAY_SERVER take several URLs, separated by commas, and find it");
        if let Some(trouble) = &about.trouble {
            error.causes = vec![format!("{} ({})", trouble.message, trouble.code)];
        }
        Some(error)
    }

    /// Says whether another one has become the writer.
    pub(crate) fn is_over(&self) -> bool {
        self.about().lease.as_ref().is_some_and(|lease| lease.is_over())
    }

    /// Returns for how long the journal's store has not heard of this writer, if so long that another one may take over.
    pub fn silent_for(&self) -> Option<Duration> {
        let silent = self.about().lease.as_ref()?.silent_for();
        (silent >= LEASE).then_some(silent)
    }

    pub(super) fn set(&self, role: Role) {
        self.about().role = role;
    }

    /// Takes note of what a writer is told of its turn.
    pub(crate) fn leads_by(&self, lease: Option<Arc<Lease>>) {
        self.about().lease = lease;
    }

    pub(super) fn looked(&self, leader: Option<String>, behind: u64, compared: u64) {
        let mut about = self.about();
        (about.leader, about.behind, about.compared) = (leader, behind, compared);
        if behind == 0 {
            about.whole = Some(Instant::now());
        }
    }

    pub(super) fn trouble(&self, trouble: Option<Error>) {
        self.about().trouble = trouble;
    }

    /// Returns what can be counted of it.
    pub(crate) fn families(&self) -> Vec<Family> {
        let gauge = |name, help, value: f64| {
            let mut family = Family::new(name, Kind::Gauge, help);
            family.add(&[], value);
            family
        };
        let (frames, since) = self.behind();
        let stands_by = self.role() != Role::Leads;
        let mut families = vec![gauge(
            "mainstay_standby",
            "1 if this server stands by, 0 if it is the one that serves.",
            f64::from(u8::from(stands_by)),
        )];
        if stands_by {
            families.push(gauge(
                "mainstay_standby_frames_behind",
                "Frames of the journal that the standby has not folded yet.",
                frames as f64,
            ));
            families.push(gauge(
                "mainstay_standby_seconds_behind",
                "Seconds since the standby had folded everything.",
                since.as_secs_f64(),
            ));
            families.push(gauge(
                "mainstay_standby_compared_frame",
                "The newest frame whose digest was that of the standby's state; 0 if none was compared yet.",
                self.about().compared as f64,
            ));
            families.push(gauge(
                "mainstay_standby_can_take_over",
                "0 if something keeps the standby from taking over; mainstay doctor says what.",
                f64::from(u8::from(self.why_not().is_none())),
            ));
        }
        families
    }

    /// Returns what `doctor` says of it; nothing of a server that is alone.
    pub(crate) fn finding(&self) -> Option<Finding> {
        if self.role() == Role::Leads {
            return None;
        }
        if let Some(trouble) = self.why_not() {
            return Some(failed("standby", trouble));
        }
        let (frames, _) = self.behind();
        let behind = mainstay_base::text::count(frames, "frame");
        let whom = self.leader().unwrap_or_else(|| "nobody".to_owned());
        let compared = match self.about().compared {
            0 => "no digest was compared yet".to_owned(),
            frame => format!("its state was the leader's at frame {frame}"),
        };
        let text = format!("it follows {whom}, {behind} behind; {compared}");
        Some(good("standby", text))
    }
}

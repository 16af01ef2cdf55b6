//! The kinds of ids there are. Append only: a prefix is never used again for something else.

mainstay_base::id!(
    /// A run of a job: `R-12`.
    RunId,
    "R-"
);
mainstay_base::id!(
    /// A delivery of one file to a source: `D-12`.
    DeliveryId,
    "D-"
);
mainstay_base::id!(
    /// A reviewed plan: `P-9`.
    PlanId,
    "P-"
);
mainstay_base::id!(
    /// An apply, numbered from 1; in addresses it is `apply/41`.
    ApplyId,
    ""
);

mainstay_base::id!(
    /// A correction of data: `A-7`.
    AmendmentId,
    "A-"
);
mainstay_base::id!(
    /// One time that a trigger was set off: `F-3`.
    FiringId,
    "F-"
);
mainstay_base::id!(
    /// A message to elsewhere: `M-5`.
    MessageId,
    "M-"
);

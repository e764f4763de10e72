//! The language the rules are written in.

/// What a value must be.
pub(super) enum Rule {
    /// `true` or `false`.
    Boolean,
    /// Any number.
    Number,
    /// A number from the first to the second.
    NumberWithin(u8, u8),
    /// A whole number.
    Integer,
    /// A whole number from the first to the second.
    IntegerWithin(i64, i64),
    /// A text of at most so many characters.
    Text(usize),
    /// An absolute URI of at most so many characters.
    Uri(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of at least and at most so many.
    List(usize, usize, &'static Rule),
    /// A list with a fixed rule for each place, in one of several lengths.
    Places(&'static [&'static [Rule]]),
    /// An object of this shape.
    Object(&'static Shape),
    /// An object of one of these shapes, as its `type` says; where several have the same, any of them.
    OneOf(&'static [&'static Shape]),
    /// An object of one of these shapes, or of any other `type`.
    OneOfOrOther(&'static [&'static Shape]),
}

/// The members of an object.
pub(super) struct Shape {
    /// What it is called; also what its `type` says.
    pub(super) name: &'static str,
    /// Whether it has a `type`.
    pub(super) tag: Tag,
    /// Its members but `type`, in groups, which several shapes share.
    pub(super) members: &'static [&'static [Member]],
}

/// Whether an object has a `type`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// It must.
    Required,
    /// It may, where its place tells already what it is.
    Optional,
    /// It has none.
    None,
    /// It has none, and members that no rule knows are always let through.
    Open,
}

/// A member of an object.
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) is_required: bool,
    pub(super) rule: Rule,
}

/// A member that must be there.
pub(super) const fn required(name: &'static str, rule: Rule) -> Member {
    Member { name, is_required: true, rule }
}

/// A member that may be there.
pub(super) const fn optional(name: &'static str, rule: Rule) -> Member {
    Member { name, is_required: false, rule }
}

impl Shape {
    pub(super) fn members(&self) -> impl Iterator<Item = &'static Member> {
        self.members.iter().copied().flatten()
    }
}

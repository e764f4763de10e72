//! The types in which the rules are written.

/// A rule for a value.
pub(super) enum Rule {
    /// `true` or `false`.
    Boolean,
    /// Any number.
    Number,
    /// A number within these inclusive bounds.
    NumberWithin(u8, u8),
    /// A whole number.
    Integer,
    /// A whole number within these inclusive bounds.
    IntegerWithin(i64, i64),
    /// A text of at most this many characters.
    Text(usize),
    /// An absolute URI of at most this many characters.
    Uri(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list with at least and at most this many items.
    List(usize, usize, &'static Rule),
    /// A list with a fixed rule for each position, in one of several lengths.
    Places(&'static [&'static [Rule]]),
    /// An object of this shape.
    Object(&'static Shape),
    /// An object of the shape that its `type` names; if several shapes have the same type, any of them.
    OneOf(&'static [&'static Shape]),
    /// An object of one of these shapes, or of any other `type`.
    OneOfOrOther(&'static [&'static Shape]),
}

/// The members of an object.
pub(super) struct Shape {
    /// The shape's name, which is also the value of `type`.
    pub(super) name: &'static str,
    /// Whether it has a `type`.
    pub(super) tag: Tag,
    /// The members other than `type`, in groups that several shapes share.
    pub(super) members: &'static [&'static [Member]],
}

/// Whether an object has a `type`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// Required.
    Required,
    /// Optional, because the position already determines the shape.
    Optional,
    /// Not allowed.
    None,
    /// Not allowed, and unknown members are always accepted.
    Open,
}

/// A member of an object.
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) is_required: bool,
    pub(super) rule: Rule,
}

/// A required member.
pub(super) const fn required(name: &'static str, rule: Rule) -> Member {
    Member { name, is_required: true, rule }
}

/// An optional member.
pub(super) const fn optional(name: &'static str, rule: Rule) -> Member {
    Member { name, is_required: false, rule }
}

impl Shape {
    pub(super) fn members(&self) -> impl Iterator<Item = &'static Member> {
        self.members.iter().copied().flatten()
    }
}

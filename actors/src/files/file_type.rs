//! The types of files that the platform's storage accepts ([FL-2](crate::rules#fl-2)).

use std::{fmt, str::FromStr};

use super::FileError;

/// The type of a file. Documents need a permission of the account in addition to the permission for pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    /// A JPEG picture, named `.jpg`.
    Jpg,
    /// A JPEG picture, named `.jpeg`.
    Jpeg,
    /// A PNG picture.
    Png,
    /// A GIF picture.
    Gif,
    /// A PDF document.
    Pdf,
    /// A text document.
    Docx,
    /// A presentation.
    Pptx,
    /// A spreadsheet.
    Xlsx,
}

impl FileType {
    /// Every type.
    pub const ALL: [Self; 8] =
        [Self::Jpg, Self::Jpeg, Self::Png, Self::Gif, Self::Pdf, Self::Docx, Self::Pptx, Self::Xlsx];

    /// The type as the protocol writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jpg => "JPG",
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::Pdf => "PDF",
            Self::Docx => "DOCX",
            Self::Pptx => "PPTX",
            Self::Xlsx => "XLSX",
        }
    }

    /// Returns the type of a file with this name, by its extension.
    ///
    /// # Errors
    /// [`FileError::UnknownType`].
    pub fn of_name(name: &str) -> Result<Self, FileError> {
        name.rsplit_once('.').map_or(name, |(_, extension)| extension).parse()
    }
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FileType {
    type Err = FileError;

    fn from_str(text: &str) -> Result<Self, FileError> {
        let named = Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text));
        named.ok_or_else(|| FileError::UnknownType(text.chars().take(32).collect()))
    }
}

//! The media types of files that the platform accepts.

use tertulia_actors::files::FileType;

const OFFICE: &str = "application/vnd.openxmlformats-officedocument.";

/// The media type of a file type. A browser runs none of them.
pub(super) fn of(file_type: FileType) -> String {
    match file_type {
        FileType::Jpg | FileType::Jpeg => "image/jpeg".to_owned(),
        FileType::Png => "image/png".to_owned(),
        FileType::Gif => "image/gif".to_owned(),
        FileType::Pdf => "application/pdf".to_owned(),
        FileType::Docx => format!("{OFFICE}wordprocessingml.document"),
        FileType::Pptx => format!("{OFFICE}presentationml.presentation"),
        FileType::Xlsx => format!("{OFFICE}spreadsheetml.sheet"),
    }
}

/// The file type of a media type, for a file whose own name has no known extension.
pub(super) fn file_type(name: &str) -> Option<FileType> {
    FileType::ALL.into_iter().find(|file_type| of(*file_type).eq_ignore_ascii_case(name))
}

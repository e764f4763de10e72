//! Files: the accepted types, the transfer to and from the platform's storage, and the possible errors
//! ([CV-F16](crate::rules#cv-f16), [FL-1](crate::rules#fl-1) to [FL-4](crate::rules#fl-4)).

mod download;
mod error;
mod file_type;
mod source;
#[cfg(test)]
mod tests;
mod transfer;

pub use download::FileDownload;
pub use error::FileError;
pub use file_type::FileType;
pub use source::UploadSource;

pub(crate) use transfer::Storage;

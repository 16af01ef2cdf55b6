//! Reading and writing the little-endian, length-prefixed fields that headers and frames are made of.
//!
//! It knows no record. Reading is strict: what is too short or left over is an error.

use mainstay_base::Hash;

use crate::error::Error;

/// Takes fields off the front of stored bytes.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[b]| b)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Error> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn hash(&mut self) -> Result<Hash, Error> {
        self.array().map(Hash::from_bytes)
    }

    /// Takes a text of at most 65,535 bytes behind its length.
    pub(crate) fn text(&mut self) -> Result<String, Error> {
        let length = usize::from(self.u16()?);
        let Some((bytes, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.short());
        };
        self.rest = rest;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(Error::damaged(format!("a text in a {} is not UTF-8", self.what))),
        }
    }

    /// Takes bytes behind their length.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = self.u32()? as usize;
        let Some((bytes, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.short());
        };
        self.rest = rest;
        Ok(bytes)
    }

    /// Says whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Checks that nothing is left.
    pub(crate) fn end(self) -> Result<(), Error> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(Error::damaged(format!(
            "a {} has {} bytes too many",
            self.what,
            self.rest.len()
        )))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let Some((bytes, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.short());
        };
        self.rest = rest;
        Ok(*bytes)
    }

    fn short(&self) -> Error {
        Error::damaged(format!("a {} is cut short", self.what))
    }
}

/// Appends a text behind its length.
pub(crate) fn put_text(out: &mut Vec<u8>, name: &str, text: &str) -> Result<(), Error> {
    let length = u16::try_from(text.len()).map_err(|_| {
        Error::invalid(format!(
            "the {name} of a record has {} bytes; at most 65,535 fit",
            text.len()
        ))
    })?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Appends bytes behind their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Error> {
    let length = u32::try_from(bytes.len())
        .map_err(|_| Error::invalid(format!("{} bytes do not fit in one piece", bytes.len())))?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

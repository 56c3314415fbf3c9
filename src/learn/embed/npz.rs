//! Arrays as a `.npz` that numpy opens, written row by row.
//!
//! Rows go to temporary files beside the output, since an array's header states how many there
//! are; in the end they are packed, uncompressed, and the file takes its name once it is whole.

use std::io::{self, BufWriter, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use npyz::{DType, WriteOptions, WriterBuilder as _};
use tempfile::NamedTempFile;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::files;

/// Arrays that grow by rows.
pub struct NpzWriter {
    path: PathBuf,
    columns: Vec<Column>,
}

/// One array: its rows so far.
pub struct Column {
    name: String,
    /// numpy's word for the type of a value.
    descr: &'static str,
    value_bytes: u64,
    /// Shape of one row.
    row: Vec<u64>,
    part: BufWriter<NamedTempFile>,
    bytes: u64,
}

impl NpzWriter {
    /// Arrays for `path`, none yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            columns: Vec::new(),
        }
    }

    /// Adds an array of `f32` rows of the shape `row`; tells its number.
    ///
    /// # Errors
    /// When the output's folder can't be written to.
    pub fn add_f32(&mut self, name: &str, row: &[usize]) -> io::Result<usize> {
        self.add(name, "<f4", 4, row)
    }

    /// Adds an array of `f64` rows of the shape `row`; tells its number.
    ///
    /// # Errors
    /// When the output's folder can't be written to.
    pub fn add_f64(&mut self, name: &str, row: &[usize]) -> io::Result<usize> {
        self.add(name, "<f8", 8, row)
    }

    fn add(
        &mut self,
        name: &str,
        descr: &'static str,
        value_bytes: u64,
        row: &[usize],
    ) -> io::Result<usize> {
        self.columns.push(Column {
            name: name.to_owned(),
            descr,
            value_bytes,
            row: row.iter().map(|side| *side as u64).collect(),
            part: BufWriter::new(files::beside(&self.path)?),
            bytes: 0,
        });
        Ok(self.columns.len() - 1)
    }

    /// Appends values, whole rows, to array `column` of `f32`.
    ///
    /// # Errors
    /// When there is no such array or the disk is full.
    pub fn push_f32(&mut self, column: usize, values: &[f32]) -> io::Result<()> {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.push(column, "<f4", &bytes)
    }

    /// Appends values, whole rows, to array `column` of `f64`.
    ///
    /// # Errors
    /// When there is no such array or the disk is full.
    pub fn push_f64(&mut self, column: usize, values: &[f64]) -> io::Result<()> {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.push(column, "<f8", &bytes)
    }

    fn push(&mut self, column: usize, descr: &str, bytes: &[u8]) -> io::Result<()> {
        let column = self
            .columns
            .get_mut(column)
            .filter(|column| column.descr == descr);
        let column = column.ok_or_else(|| io::Error::other("no array of that number and type"))?;
        column.part.write_all(bytes)?;
        column.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Packs all arrays and `metadata`, a text array without axes, and gives the file its name.
    ///
    /// # Errors
    /// When the disk is full or the output can't be replaced.
    pub fn finish(mut self, metadata: &str) -> io::Result<()> {
        let mut zip = ZipWriter::new(BufWriter::new(files::beside(&self.path)?));
        for column in &mut self.columns {
            zip.start_file(format!("{}.npy", column.name), entry())?;
            column.copy_to(&mut zip)?;
        }
        zip.start_file("metadata.npy", entry())?;
        write_text(metadata, &mut zip)?;
        let file = zip.finish()?.into_inner().map_err(io::Error::from)?;
        files::keep(file, &self.path)
    }
}

/// Entries may pass 4 GiB; they carry no time, so that equal arrays give equal files.
fn entry() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .large_file(true)
}

impl Column {
    fn copy_to(&mut self, out: &mut impl io::Write) -> io::Result<()> {
        self.part.flush()?;
        let row_bytes = self.value_bytes * self.row.iter().product::<u64>();
        let rows = self.bytes.checked_div(row_bytes).unwrap_or(0);
        let mut shape = vec![rows];
        shape.extend(&self.row);
        write_header(self.descr, &shape, out)?;
        let part = self.part.get_mut().as_file_mut();
        part.rewind()?;
        io::copy(&mut part.take(rows * row_bytes), out)?;
        Ok(())
    }
}

fn write_header(descr: &str, shape: &[u64], out: &mut impl io::Write) -> io::Result<()> {
    let unknown = |_| io::Error::other("a type that numpy does not know");
    let dtype = DType::new_scalar(descr.parse().map_err(unknown)?);
    WriteOptions::new_header_only()
        .dtype(dtype)
        .shape(shape)
        .writer(out)
        .write_header_only()?;
    Ok(())
}

/// A text as an array without axes: `str(np.load(...)["metadata"])`.
fn write_text(text: &str, out: &mut impl io::Write) -> io::Result<()> {
    let letters: Vec<u8> = text
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    write_header(&format!("<U{}", text.chars().count().max(1)), &[], out)?;
    out.write_all(&letters)?;
    // numpy has no text of no letters.
    if letters.is_empty() {
        out.write_all(&[0; 4])
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use npyz::NpyFile;

    fn entry_of(path: &Path, name: &str) -> Vec<u8> {
        let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
        let mut bytes = Vec::new();
        zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn arrays_come_back_with_shape_and_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let mut npz = NpzWriter::new(&path);
        let places = npz.add_f64("places", &[2]).unwrap();
        let tokens = npz.add_f32("tokens", &[2, 3]).unwrap();
        npz.push_f64(places, &[1.5, -2.0]).unwrap();
        npz.push_f32(tokens, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
            .unwrap();
        npz.push_f64(places, &[3.25, 4.0]).unwrap();
        npz.push_f32(tokens, &[6.0; 6]).unwrap();
        assert!(npz.push_f32(places, &[1.0]).is_err());
        assert!(!path.exists());
        npz.finish("{\"µ\": 1}").unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let bytes = entry_of(&path, "tokens.npy");
        let array = NpyFile::new(&bytes[..]).unwrap();
        assert_eq!(array.shape(), [2, 2, 3]);
        assert_eq!(array.into_vec::<f32>().unwrap()[4..7], [4.0, 5.0, 6.0]);
        let bytes = entry_of(&path, "places.npy");
        let array = NpyFile::new(&bytes[..]).unwrap();
        assert_eq!(array.into_vec::<f64>().unwrap(), [1.5, -2.0, 3.25, 4.0]);
        let bytes = entry_of(&path, "metadata.npy");
        let array = NpyFile::new(&bytes[..]).unwrap();
        assert_eq!(array.shape(), [0_u64; 0]);
        assert_eq!(array.into_vec::<String>().unwrap(), ["{\"µ\": 1}"]);
    }

    #[test]
    fn no_rows_are_an_array_too_and_nothing_is_left_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let mut npz = NpzWriter::new(&path);
        npz.add_f32("cls", &[4]).unwrap();
        drop(npz);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut npz = NpzWriter::new(&path);
        npz.add_f32("cls", &[4]).unwrap();
        npz.finish("").unwrap();
        let bytes = entry_of(&path, "cls.npy");
        assert_eq!(NpyFile::new(&bytes[..]).unwrap().shape(), [0, 4]);
    }
}

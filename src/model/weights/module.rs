//! Between a module's parameters and a file's tensors, which have PyTorch's names and axes.

use std::collections::BTreeMap;
use std::path::Path;

use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, bridge};
use burn::tensor::TensorData;

use super::error::WeightsError;
use super::tensor_file::TensorFile;

/// Shapes of all tensors by name, as a file has them.
pub type Shapes = BTreeMap<String, Vec<u64>>;

/// A tensor on its way into a file: name, shape there, values.
pub type Named = (String, Vec<u64>, Vec<f32>);

/// One tensor on its way out of a file.
#[derive(Debug)]
pub struct InFile {
    /// Its name in the module.
    pub name: String,
    /// Its axes.
    pub shape: Vec<usize>,
    values: Vec<f32>,
}

impl InFile {
    /// Reads the tensor that the file calls `in_file` and the module calls `name`.
    ///
    /// # Errors
    /// When it is not there or holds no weights.
    pub fn read(file: &mut TensorFile, name: String, in_file: &str) -> Result<Self, WeightsError> {
        let values = file.values(in_file)?;
        let shape = &file.entries()[in_file].shape;
        let shape = shape.iter().map(|axis| *axis as usize).collect();
        Ok(Self {
            name,
            shape,
            values,
        })
    }
}

/// All parameters with the shapes they have in a file; `path` is only for the message.
///
/// # Errors
/// When a parameter has no shape there or can't be read back from its device.
pub fn tensors_of<M: ModuleSnapshot>(
    module: &M,
    shapes: &Shapes,
    path: &Path,
) -> Result<Vec<Named>, WeightsError> {
    let refused = |reason: String| refused(path, reason);
    let mut tensors = Vec::new();
    for tensor in module.collect(None, Some(Box::new(BurnToPyTorchAdapter)), false) {
        let name = tensor.name.clone();
        let shape = shapes.get(&name).cloned();
        let shape = shape.ok_or_else(|| refused(format!("tensor '{name}' has no shape")))?;
        let data = bridge::into_data(tensor).map_err(|error| refused(error.to_string()))?;
        let values = data.convert::<f32>().try_to_vec::<f32>();
        let values = values.map_err(|error| refused(format!("tensor '{name}': {error:?}")))?;
        tensors.push((name, shape, values));
    }
    Ok(tensors)
}

/// Names in the file by the module's name, once every name and shape was found to fit.
/// `module_name` tells a tensor's name in the module from that in the file, none for one that is
/// not needed; `holder` is what the file should hold, as in `encoder 'tiny'`.
///
/// # Errors
/// With the first tensor that is of another shape, has no place, or is missing.
pub fn matched(
    file: &TensorFile,
    shapes: &Shapes,
    holder: &str,
    module_name: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, WeightsError> {
    let path = || file.path().to_owned();
    let mut found = BTreeMap::new();
    for (tensor, entry) in file.entries() {
        let Some(name) = module_name(tensor) else {
            continue;
        };
        let (tensor, holder) = (tensor.clone(), holder.to_owned());
        match shapes.get(&name) {
            Some(shape) if *shape != entry.shape => {
                let (found, expected) = (format!("{:?}", entry.shape), format!("{shape:?}"));
                return Err(WeightsError::Shape {
                    path: path(),
                    tensor,
                    found,
                    expected,
                });
            }
            Some(_) if !found.contains_key(&name) => found.insert(name, tensor),
            _ => {
                return Err(WeightsError::Unexpected {
                    path: path(),
                    tensor,
                    holder,
                });
            }
        };
    }
    match shapes.iter().find(|(name, _)| !found.contains_key(*name)) {
        None => Ok(found),
        Some((tensor, shape)) => Err(WeightsError::Missing {
            path: path(),
            tensor: tensor.clone(),
            expected: format!("{shape:?}"),
        }),
    }
}

/// Puts tensors into their places in a module.
///
/// # Errors
/// When burn refuses one, or one is too much or missing.
pub fn put_into<M: ModuleSnapshot>(
    mut module: M,
    tensors: Vec<InFile>,
    path: &Path,
) -> Result<M, WeightsError> {
    let packed = tensors.into_iter().map(|tensor| {
        let data = TensorData::new(tensor.values, tensor.shape);
        bridge::from_data(data, tensor.name, None)
    });
    let adapter = Some(Box::new(PyTorchToBurnAdapter) as _);
    let applied = module.apply(packed.collect(), None, adapter, false);
    let odd = applied.errors.iter().map(ToString::to_string);
    let odd = odd
        .chain(applied.unused)
        .chain(applied.missing.into_iter().map(|(name, _)| name));
    match odd.reduce(|all, next| all + ", " + &next) {
        None => Ok(module),
        Some(reason) => Err(refused(path, reason)),
    }
}

fn refused(path: &Path, reason: String) -> WeightsError {
    let path = path.to_owned();
    WeightsError::Refused { path, reason }
}

//! Values of tensors.

use burn::tensor::Tensor;

/// The values of a tensor, row by row.
///
/// # Errors
/// In the device's words, when it can't give them.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, String> {
    let data = tensor.try_into_data().map_err(|error| error.to_string())?;
    data.try_to_vec().map_err(|error| format!("{error:?}"))
}

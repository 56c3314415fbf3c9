//! What the teacher says: balanced assignments to prototypes.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::network::{Head, Seen};
use super::ring::Ring;
use super::sinkhorn::sinkhorn;

/// How targets are sharpened and balanced.
#[derive(Debug, Clone, Copy)]
pub struct Sharpening {
    /// Temperature of the teacher.
    pub temperature: f64,
    /// Iterations of Sinkhorn's scaling.
    pub iterations: usize,
}

/// Rows of earlier steps, so that a balance has rows enough: one ring a kind of row, of
/// directions before the prototypes, which may have moved since.
#[derive(Debug, Clone, PartialEq)]
pub struct Queues {
    /// Of parents' class tokens.
    pub parents: Ring,
    /// Of parents' patches under children.
    pub coarse: Ring,
    /// Of children's patches.
    pub fine: Ring,
}

impl Queues {
    /// Empty queues of `rows` rows of `width` values.
    pub fn new(width: usize, rows: usize) -> Self {
        Self {
            parents: Ring::new(width, rows),
            coarse: Ring::new(width, rows),
            fine: Ring::new(width, rows),
        }
    }
}

/// Targets of the three losses; each row sums to one.
#[derive(Debug, Clone)]
pub struct Targets {
    /// p_T(cls^L), \[B, P\].
    pub parents: Tensor<2>,
    /// p_T(z^L_uv) of the children kept, \[C, P\].
    pub coarse: Tensor<2>,
    /// p_T(z^H_uv), \[C, P\].
    pub fine: Tensor<2>,
}

/// Makes targets of what the teacher has `seen`; `places` \[C\] are the rows of `seen.coarse`
/// whose child was kept. Each kind of row is balanced on its own, together with its queue, which
/// then takes the new rows in.
pub fn targets(
    head: &Head,
    seen: &Seen,
    places: &Tensor<1, Int>,
    queues: &mut Queues,
    how: Sharpening,
) -> Targets {
    let coarse = seen.coarse.clone().select(0, places.clone());
    Targets {
        parents: balanced(head, seen.parents.clone(), &mut queues.parents, how),
        coarse: balanced(head, coarse, &mut queues.coarse, how),
        fine: balanced(head, seen.fine.clone(), &mut queues.fine, how),
    }
}

fn balanced(head: &Head, rows: Tensor<2>, queue: &mut Ring, how: Sharpening) -> Tensor<2> {
    let [count, _] = rows.dims();
    let directions = head.project(rows);
    let mut all = vec![directions.clone()];
    if queue.rows() > 0 {
        all.push(tensor(queue, &directions.device()));
    }
    let scores = head.scores(Tensor::cat(all, 0));
    // Read as stored: what can't be read was never a number, and the loss will say so.
    if let Ok(values) = directions.into_data().try_to_vec::<f32>() {
        queue.push(&values);
    }
    sinkhorn(scores, how.temperature, how.iterations).narrow(0, 0, count)
}

fn tensor(ring: &Ring, device: &Device) -> Tensor<2> {
    let data = TensorData::new(ring.values().to_vec(), [ring.rows(), ring.width()]);
    Tensor::from_data(data, device)
}

//! Attention of many queries, as encoders and the first pass of decoding have it.
//!
//! Queries lie side by side in the vectors, as rows do in [`linear_tiles`](crate::linear_tiles): a key meets a whole
//! vector of them, and neither scores nor their softmax are ever summed along a vector. Blocks of keys pass over tiles
//! of queries, whose sums are put right whenever a greater score comes (FlashAttention, arXiv 2205.14135).

mod state;
#[cfg(test)]
mod tests;
mod tile;

use std::ops::Range;

use tch::{Kind, Tensor};

use self::state::{Ask, Finish, Pack, Prepare, State};
use self::tile::{REST, Step, VECTORS};
use crate::memory::{Fresh, Parts, with_scratch};
use crate::seen::Seen;
use crate::simd::{self, Bf16, Element, F16, Kernel, Level, Simd};
use crate::strided::{Positions, Strided};
use crate::team::spread;

/// Keys that pass over a tile at once: with their values and the scores they stay in a near cache.
const BLOCK: usize = 72;
/// The most tiles that a block passes over, one after the other.
const TILES: usize = 16;
/// The most queries in a tile: those of AVX-512.
const WIDEST: usize = VECTORS * 16;

/// Attention of several queries per row and head, as of the last positions, over a cache.
///
/// `q` is `[rows, heads, queries, head_dim]`, `k` and `v` are `[rows, kv_heads, capacity, head_dim]`, where `heads` is a
/// multiple of `kv_heads` and each key head serves `heads / kv_heads` neighbouring query heads; all `f32`, all `bf16` or
/// all `f16`, on the CPU. They may be views of something larger, as long as the elements of each head of a position are
/// neighbours. Scores are multiplied by `scale`, and with `softcap` become `softcap · tanh(score / softcap)`; they and
/// their softmax are `f32`. The result has the shape and the type of `q`, and lies in memory as
/// `[rows, queries, heads, head_dim]`; it is zero for a query that sees nothing.
///
/// Forward only: gradients do not pass. Results do not depend on the number of threads.
///
/// # Panics
/// If the shapes do not fit, more positions are seen than the cache has, or a tensor has another type or place.
pub fn attend_many(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    seen: &Seen<'_>,
    scale: f64,
    softcap: Option<f64>,
) -> Tensor {
    let (rows, heads, queries, head_dim) = q.size4().expect("q is [rows, heads, queries, head_dim]");
    let kv_heads = seen.check([rows, heads, head_dim], k, v);
    let level = Level::best();
    let call = Call {
        seen,
        rows: rows as usize,
        heads: heads as usize,
        group: heads as usize / kv_heads,
        queries: queries as usize,
        head_dim: head_dim as usize,
        width: (head_dim as usize).max(1).next_multiple_of(REST),
        // Powers of two cost less than those of e.
        scale: (scale * std::f64::consts::LOG2_E) as f32,
        softcap: softcap.map(|cap| (cap * std::f64::consts::LOG2_E) as f32),
        level,
        lanes: simd::run(level, Lanes),
    };
    match q.kind() {
        Kind::Float => call.forward::<f32>(q, k, v),
        Kind::BFloat16 => call.forward::<Bf16>(q, k, v),
        _ => call.forward::<F16>(q, k, v),
    }
}

/// Lanes of a vector.
struct Lanes;

impl Kernel for Lanes {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        S::LANES
    }
}

/// What all threads share.
struct Call<'a> {
    seen: &'a Seen<'a>,
    rows: usize,
    heads: usize,
    /// Query heads of a key head.
    group: usize,
    queries: usize,
    head_dim: usize,
    /// The head's features, filled up with zeros.
    width: usize,
    scale: f32,
    softcap: Option<f32>,
    level: Level,
    lanes: usize,
}

/// Some queries of a head.
struct Tile {
    first: usize,
    count: usize,
    /// Vectors that they fill, the last one perhaps in part.
    vectors: usize,
}

impl Tile {
    fn last(&self) -> usize {
        self.first + self.count - 1
    }
}

/// Neighbouring tiles of a head of a row.
struct Group {
    row: usize,
    head: usize,
    tiles: Vec<Tile>,
}

/// What a thread works in.
struct Room<'a> {
    /// `[BLOCK, width]`
    keys: &'a mut [f32],
    /// `[BLOCK, width]`
    values: &'a mut [f32],
    /// `[BLOCK, tile]`
    weights: &'a mut [f32],
    /// One after the other, of all tiles of a group.
    states: &'a mut [f32],
}

/// Part `number` of `all`, in `parts` nearly equal ones.
fn share(all: usize, parts: usize, number: usize) -> Range<usize> {
    number * all / parts..(number + 1) * all / parts
}

impl Call<'_> {
    fn forward<T: Element>(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Tensor {
        let [q, k, v] = [(q, "q"), (k, "k"), (v, "v")].map(|(t, name)| Strided::<T>::of(t, name));
        let shape = [self.rows, self.queries, self.heads, self.head_dim];
        let mut out = Fresh::<T>::unset(&shape.map(|n| n as i64));
        let parts = Parts::new(out.as_mut_slice());
        let groups = self.tiles().div_ceil(TILES);
        let heads = self.rows * self.heads;
        spread(self.rows * self.queries, heads * groups, |task| {
            // The last queries first: they may see the most.
            let number = groups - 1 - task / heads;
            let group = Group {
                row: task % heads / self.heads,
                head: task % self.heads,
                tiles: self.group(share(self.tiles(), groups, number)),
            };
            self.in_room(group.tiles.len(), |mut room| {
                self.begin(&group, &q, &mut room);
                self.pass(&group, [&k, &v], &mut room);
                self.end(&group, &mut room, &parts);
            });
        });
        out.into_tensor().transpose(1, 2)
    }

    /// Queries of a tile.
    fn tile(&self) -> usize {
        VECTORS * self.lanes
    }

    /// Tiles of a head.
    fn tiles(&self) -> usize {
        self.queries.div_ceil(self.tile())
    }

    /// Some tiles of a head.
    fn group(&self, tiles: Range<usize>) -> Vec<Tile> {
        let tile = |number: usize| {
            let first = number * self.tile();
            let count = self.tile().min(self.queries - first);
            Tile {
                first,
                count,
                vectors: count.div_ceil(self.lanes),
            }
        };
        tiles.map(tile).collect()
    }

    /// Values of a tile's state.
    fn state(&self) -> usize {
        State::size(self.tile(), self.width)
    }

    fn in_room(&self, tiles: usize, body: impl FnOnce(Room<'_>)) {
        const {
            assert!(
                WIDEST <= BLOCK,
                "a tile's queries have the room of a block's keys"
            )
        };
        let (block, weights) = (BLOCK * self.width, BLOCK * self.tile());
        with_scratch(2 * block + weights + tiles * self.state(), |all| {
            let (keys, rest) = all.split_at_mut(block);
            let (values, rest) = rest.split_at_mut(block);
            let (weights, states) = rest.split_at_mut(weights);
            body(Room {
                keys,
                values,
                weights,
                states,
            });
        });
    }

    /// The state of each tile.
    fn states<'a>(
        &self,
        group: &'a Group,
        states: &'a mut [f32],
    ) -> impl Iterator<Item = (&'a Tile, State<'a>)> + use<'a> {
        let (tile, width) = (self.tile(), self.width);
        let states = states.chunks_exact_mut(self.state());
        let states = states.map(move |state| State::of(state, tile, width));
        group.tiles.iter().zip(states)
    }

    /// Puts the queries in the order of tiles.
    fn begin<T: Element>(&self, group: &Group, q: &Strided<'_, T>, room: &mut Room<'_>) {
        for (tile, state) in self.states(group, room.states) {
            let rows = &mut room.keys[..tile.vectors * self.lanes * self.width];
            let queries = q.positions(group.row, group.head, tile.first, tile.count);
            self.pack(queries, self.scale, rows);
            simd::run(self.level, Prepare { rows, state });
        }
    }

    /// Lets all keys and values that are seen pass over the tiles.
    fn pass<'a, T: Element>(&self, group: &Group, [k, v]: [&Strided<'a, T>; 2], room: &mut Room<'_>) {
        let positions = |t: &Strided<'a, T>, from: usize, count: usize| {
            t.positions(group.row, group.head / self.group, from, count)
        };
        let seen = self.seen_by(group);
        let mut from = seen.start;
        while from < seen.end {
            let count = BLOCK.min(seen.end - from);
            let size = count.next_multiple_of(REST) * self.width;
            self.pack(positions(k, from, count), 1.0, &mut room.keys[..size]);
            self.pack(positions(v, from, count), 1.0, &mut room.values[..size]);
            let next = from + count;
            let following = BLOCK.min(seen.end - next);
            for (i, (tile, state)) in self.states(group, room.states).enumerate() {
                let ask = share(following, group.tiles.len(), i);
                let ahead = |t| positions(t, next + ask.start, ask.len());
                simd::run(self.level, Ask([ahead(k), ahead(v)]));
                let block = [&room.keys[..size], &room.values[..size]];
                self.step(group.row, tile, from..next, block, room.weights, state);
            }
            from = next;
        }
    }

    /// Writes the results.
    fn end<T: Element>(&self, group: &Group, room: &mut Room<'_>, out: &Parts<'_, T>) {
        for (tile, state) in self.states(group, room.states) {
            let rows = &mut room.keys[..tile.vectors * self.lanes * self.width];
            simd::run(self.level, Finish { rows, state });
            let rows = rows.chunks_exact(self.width).take(tile.count);
            for (query, values) in (tile.first..).zip(rows) {
                let at = (group.row * self.queries + query) * self.heads + group.head;
                // SAFETY: one part per query and head, and each of them goes to one thread.
                let out = unsafe { out.part(at * self.head_dim, self.head_dim) };
                for (out, value) in out.iter_mut().zip(values) {
                    *out = T::from_f32(*value);
                }
            }
        }
    }

    /// Widens positions and multiplies them by `factor`.
    fn pack<T: Element>(&self, from: Positions<'_, T>, factor: f32, to: &mut [f32]) {
        let width = self.width;
        let work = Pack {
            from,
            factor,
            width,
            to,
        };
        simd::run(self.level, work);
    }

    /// What a query of a row sees.
    fn seen(&self, row: usize, query: usize) -> Range<usize> {
        let position = self.seen.len - self.queries as i64 + query as i64;
        self.seen.at(row, position)
    }

    /// What the queries of a group see together.
    fn seen_by(&self, group: &Group) -> Range<usize> {
        match (group.tiles.first(), group.tiles.last()) {
            (Some(first), Some(last)) => {
                self.seen(group.row, first.first).start..self.seen(group.row, last.last()).end
            }
            _ => 0..0,
        }
    }

    /// Lets keys and values of the positions `block` pass over a tile.
    fn step(
        &self,
        row: usize,
        tile: &Tile,
        block: Range<usize>,
        [k, v]: [&[f32]; 2],
        weights: &mut [f32],
        state: State<'_>,
    ) {
        let within = |position: usize| position.clamp(block.start, block.end) - block.start;
        let (from, to) = (self.seen(row, tile.first), self.seen(row, tile.last()));
        let first = within(from.start) / REST * REST;
        let end = within(to.end).next_multiple_of(REST);
        if first >= end {
            return;
        }
        let all = within(to.start) <= first && within(from.end) >= end;
        let edges: Option<[Range<usize>; WIDEST]> = (!all).then(|| {
            std::array::from_fn(|lane| {
                let seen = self.seen(row, tile.last().min(tile.first + lane));
                within(seen.start).max(first) - first..within(seen.end).max(first) - first
            })
        });
        let rows = first * self.width..end * self.width;
        let step = Step {
            k: &k[rows.clone()],
            v: &v[rows],
            vectors: tile.vectors,
            edges: edges.as_ref().map(|edges| &edges[..tile.vectors * self.lanes]),
            softcap: self.softcap,
            weights,
            state,
        };
        simd::run(self.level, step);
    }
}

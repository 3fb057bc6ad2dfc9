//! Rational-quadratic splines (arXiv 1906.04032), the way back.

use tch::{Kind, Tensor};

/// The narrowest a bin may be, and the flattest a knot.
const LEAST: f64 = 1e-3;

/// The `x` that a spline over `[-bound, bound]`, which goes on as a straight line, sends to `y` `[…]`. `widths` and
/// `heights` are `[…, bins]` and `slopes` `[…, bins - 1]`, before they are made positive.
pub fn inverse(y: &Tensor, widths: &Tensor, heights: &Tensor, slopes: &Tensor, bound: f64) -> Tensor {
    let bins = widths.size().last().copied().unwrap_or(1);
    let knots = |sizes: &Tensor| {
        let shares = sizes.softmax(-1, sizes.kind()) * (1.0 - LEAST * bins as f64) + LEAST;
        let sums = shares.cumsum(-1, shares.kind()) * (2.0 * bound) - bound;
        let inner = sums.narrow(-1, 0, bins - 1);
        let first = inner.narrow(-1, 0, 1).full_like(-bound);
        let last = first.full_like(bound);
        Tensor::cat(&[first, inner, last], -1) // [..., bins + 1]
    };
    let (xs, ys) = (knots(widths), knots(heights));
    let sizes = |knots: &Tensor| knots.narrow(-1, 1, bins) - knots.narrow(-1, 0, bins);
    let (wide, high) = (sizes(&xs), sizes(&ys));
    // At both ends the slope is 1.
    let edge = ((1.0 - LEAST).exp() - 1.0).ln();
    let first = slopes.narrow(-1, 0, 1).full_like(edge);
    let slopes = Tensor::cat(&[&first, slopes, &first], -1).softplus() + LEAST;

    let inside = y.ge(-bound).logical_and(&y.le(bound));
    let target = y.clamp(-bound, bound);
    let bin = target
        .unsqueeze(-1)
        .ge_tensor(&ys.narrow(-1, 0, bins))
        .sum_dim_intlist(-1i64, true, Kind::Int64)
        - 1;
    let at = |values: &Tensor| values.gather(-1, &bin, false).squeeze_dim(-1);
    let (x, width, bottom, height) = (at(&xs), at(&wide), at(&ys), at(&high));
    let (slope, next) = (at(&slopes), at(&slopes.narrow(-1, 1, bins)));
    let steep = &height / &width;

    // The root of a quadratic equation.
    let above = target - bottom;
    let bend = (&slope + next - &steep * 2.0) * &above;
    let a = &height * (&steep - &slope) + &bend;
    let b = height * slope - bend;
    let c = steep * above * -1.0;
    let root = (&c * 2.0) / (-(&b) - (b.square() - a * c * 4.0).clamp_min(0.0).sqrt());
    let found = root * width + x;
    found.where_self(&inside, y)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn outside_it_is_a_straight_line_and_inside_it_rises() {
        tch::manual_seed(1);
        let options = (Kind::Double, Device::Cpu);
        let y = Tensor::linspace(-7.0, 7.0, 141, options);
        let row = |count: i64| Tensor::randn([1, count], options).expand([141, count], false);
        let x = inverse(&y, &row(10), &row(10), &row(9), 5.0);
        let outside = y.abs().gt(5.0);
        assert_eq!(x.masked_select(&outside), y.masked_select(&outside));
        let steps = x.narrow(0, 1, 140) - x.narrow(0, 0, 140);
        assert!(steps.min().double_value(&[]) > 0.0);
        assert!(
            (x.double_value(&[20]) + 5.0).abs() < 1e-9,
            "{}",
            x.double_value(&[20])
        );
    }
}

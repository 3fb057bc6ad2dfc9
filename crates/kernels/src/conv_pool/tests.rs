use super::*;

fn reference(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
    x.unsqueeze(1)
        .conv2d(weight, Some(bias), 1, 0, 1, 1)
        .relu()
        .max_pool2d(2, 2, 0, 1, false)
        .permute([0, 2, 3, 1])
}

#[test]
fn equals_libtorch_forwards_and_backwards() {
    tch::manual_seed(1);
    let options = (Kind::Float, Device::Cpu);
    for (batch, height, width, channels) in [(1, 28, 28, 32), (19, 7, 10, 8), (3, 5, 4, 40), (0, 28, 28, 8)] {
        let x = Tensor::randn([batch, height, width], options);
        let weight = Tensor::randn([channels, 1, 3, 3], options).set_requires_grad(true);
        let bias = Tensor::randn([channels], options).set_requires_grad(true);
        let run = |y: Tensor| {
            let pull = Tensor::linspace(-1., 1., y.numel() as i64, options).view_as(&y);
            let grads =
                Tensor::run_backward(&[(&y * pull).sum(Kind::Float)], &[&weight, &bias], false, false);
            (y.detach(), grads)
        };
        let Some(ours) = conv_relu_pool(&x, &weight, &bias) else {
            panic!("a shape that the kernel takes")
        };
        let (y, grads) = run(ours);
        if batch == 0 {
            assert_eq!(y.size(), [0, 13, 13, 8]);
            continue;
        }
        let (expected, expected_grads) = run(reference(&x, &weight, &bias));
        assert!(y.allclose(&expected, 1e-5, 1e-5, false));
        for (grad, expected) in grads.iter().zip(&expected_grads) {
            assert!(grad.allclose(expected, 1e-4, 1e-3, false), "{grad} {expected}");
        }
        let inference = tch::no_grad(|| conv_relu_pool(&x, &weight, &bias));
        assert!(inference.is_some_and(|i| i.equal(&y) && !i.requires_grad()));
    }
}

#[test]
fn declines_what_it_cannot_do() {
    let options = (Kind::Float, Device::Cpu);
    let weight = |shape: [i64; 4]| Tensor::zeros(shape, options);
    let bias = Tensor::zeros([8], options);
    let x = Tensor::zeros([2, 28, 28], options);
    assert!(conv_relu_pool(&x, &weight([8, 1, 3, 3]), &bias).is_some());
    assert!(conv_relu_pool(&x, &weight([8, 1, 5, 5]), &bias).is_none());
    assert!(conv_relu_pool(&x, &weight([8, 2, 3, 3]), &bias).is_none());
    assert!(conv_relu_pool(&x.to_kind(Kind::Double), &weight([8, 1, 3, 3]), &bias).is_none());
    assert!(conv_relu_pool(&x.set_requires_grad(true), &weight([8, 1, 3, 3]), &bias).is_none());
}

#[test]
fn gradients_do_not_depend_on_the_thread_count() {
    let options = (Kind::Float, Device::Cpu);
    tch::manual_seed(2);
    let x = Tensor::randn([100, 28, 28], options);
    let weight = Tensor::randn([32, 1, 3, 3], options).set_requires_grad(true);
    let bias = Tensor::zeros([32], options);
    let grad = |threads| {
        tch::set_num_threads(threads);
        let y = conv_relu_pool(&x, &weight, &bias).map(|y| y.sum(Kind::Float));
        y.map(|y| Tensor::run_backward(&[y], &[&weight], false, false).remove(0))
    };
    let (one, two) = (grad(1), grad(2));
    assert!(one.zip(two).is_some_and(|(a, b)| a.equal(&b)));
}

#[test]
fn what_is_no_number_shows() {
    let options = (Kind::Float, Device::Cpu);
    for place in 0..36 {
        let x = Tensor::ones([1, 36], options);
        let _ = x.narrow(1, place, 1).fill_(f64::NAN);
        let x = x.view([1, 6, 6]);
        let weight = Tensor::full([8, 1, 3, 3], -1.0, options);
        let bias = Tensor::zeros([8], options);
        let y = conv_relu_pool(&x, &weight, &bias).expect("a shape that the kernel takes");
        let expected = reference(&x, &weight, &bias);
        assert!(y.allclose(&expected, 0.0, 0.0, true), "NaN at {place}: {y}");
    }
}

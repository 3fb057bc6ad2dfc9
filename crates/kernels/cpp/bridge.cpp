// The C++ bridge: what libtorch offers in C++ only. Tensors cross as `torch::Tensor*`, as in tch.

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace {

// Fills `grads` with one owned tensor (or null) per input; returns false if the Rust side panicked.
using Backward = bool (*)(void* closure, const at::Tensor* grad_output, at::Tensor** grads);
using Drop = void (*)(void* closure);

// An autograd node whose backward pass is a Rust closure.
struct RustNode : public torch::autograd::Node {
  RustNode(void* closure, Backward backward, Drop drop) : closure_(closure), backward_(backward), drop_(drop) {}
  ~RustNode() override { drop_(closure_); }

  std::string name() const override { return "SensoriumBackward"; }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& grad_outputs) override {
    const size_t inputs = num_outputs();  // this node's outputs are the gradients of its inputs
    torch::autograd::variable_list grads(inputs);
    if (!grad_outputs[0].defined()) return grads;
    std::vector<at::Tensor*> raw(inputs, nullptr);
    const bool ok = backward_(closure_, &grad_outputs[0], raw.data());
    for (size_t i = 0; i < inputs; ++i) {
      if (raw[i] == nullptr) continue;
      grads[i] = std::move(*raw[i]);
      delete raw[i];
    }
    if (!ok) throw std::runtime_error("a Rust backward pass panicked");
    return grads;
  }

 private:
  void* closure_;
  Backward backward_;
  Drop drop_;
};

}  // namespace

extern "C" {

// Gives `output` a history: its gradient goes through `backward` to the `count` inputs. Takes the closure.
void sensorium_set_backward(at::Tensor* output, const at::Tensor* const* inputs, size_t count, void* closure,
                            Backward backward, Drop drop) {
  std::shared_ptr<RustNode> node(new RustNode(closure, backward, drop), torch::autograd::deleteNode);
  for (size_t i = 0; i < count; ++i) {
    node->add_next_edge(torch::autograd::impl::gradient_edge(*inputs[i]));
  }
  torch::autograd::set_history(*output, node);
}

bool sensorium_grad_enabled() { return at::GradMode::is_enabled(); }

// Runs `body(context, begin, end)` over 0..n on libtorch's own threads, in pieces of at least `grain`.
void sensorium_parallel_for(int64_t n, int64_t grain, void (*body)(void*, int64_t, int64_t), void* context) {
  at::parallel_for(0, n, grain, [&](int64_t begin, int64_t end) { body(context, begin, end); });
}

// Lets loops of the calling thread use so many threads from now on; returns how many it was before.
int sensorium_set_loop_threads(int threads) {
  const int before = at::get_num_threads();  // which also sets them when a thread asks first
#ifdef _OPENMP
  omp_set_num_threads(threads);
#endif
  return before;
}
}

#include "base/failpoint.hpp"

#ifdef QUIETUS_FAILPOINTS

#include <atomic>
#include <memory>
#include <mutex>

namespace quietus::failpoint {
namespace {

std::mutex mutex;
std::shared_ptr<Hook> installed;  // guarded by mutex
std::atomic<bool> any{false};

}  // namespace

void install(Hook hook) {
  const std::lock_guard lock(mutex);
  any = static_cast<bool>(hook);
  installed = hook ? std::make_shared<Hook>(std::move(hook)) : nullptr;
}

Result<void> reached(std::string_view name) {
  if (!any.load(std::memory_order_relaxed)) return {};
  std::shared_ptr<Hook> hook;
  {
    const std::lock_guard lock(mutex);
    hook = installed;
  }
  if (!hook) return {};
  return (*hook)(name);
}

Hook at_nth(int n, Hook act) {
  auto left = std::make_shared<std::atomic<int>>(n);
  return [left, act = std::move(act)](std::string_view name) -> Result<void> {
    if (left->fetch_sub(1) != 1) return {};
    return act(name);
  };
}

}  // namespace quietus::failpoint

#endif

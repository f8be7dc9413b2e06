// Finds transactions nested in one of the same store on the same thread, which would wait for
// themselves.
#pragma once

#include <quietus/result.hpp>

namespace quietus {

// Stands on the stack while a transaction of `store` runs.
class TransactionGuard {
 public:
  explicit TransactionGuard(const void* store) noexcept : store_(store), outer_(innermost) {
    for (const TransactionGuard* guard = outer_; guard != nullptr; guard = guard->outer_)
      nested_ = nested_ || guard->store_ == store;
    innermost = this;
  }
  TransactionGuard(const TransactionGuard&) = delete;
  TransactionGuard& operator=(const TransactionGuard&) = delete;
  ~TransactionGuard() { innermost = outer_; }

  // kInternal when nested.
  Result<void> outermost() const {
    if (nested_) return Error(ErrorCode::kInternal, "a transaction inside one of the same store");
    return {};
  }

 private:
  static inline thread_local const TransactionGuard* innermost = nullptr;

  const void* store_;
  const TransactionGuard* outer_;
  bool nested_ = false;
};

}  // namespace quietus

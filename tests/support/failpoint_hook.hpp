// A fail point hook that is removed again, whatever the test does.
#pragma once

#include <utility>

#include "base/failpoint.hpp"

namespace quietus::test {

class FailpointHook {
 public:
  explicit FailpointHook(failpoint::Hook hook) { failpoint::install(std::move(hook)); }
  FailpointHook(FailpointHook&&) = delete;
  FailpointHook& operator=(FailpointHook&&) = delete;
  FailpointHook(const FailpointHook&) = delete;
  FailpointHook& operator=(const FailpointHook&) = delete;
  ~FailpointHook() { failpoint::install({}); }
};

}  // namespace quietus::test

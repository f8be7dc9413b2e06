// The module that index.js loads; once for each thread of JavaScript.
#include <exception>

#include "functions.hpp"

namespace quietus::node {
namespace {

// Nothing that C++ throws passes into JavaScript's engine.
napi_value call(napi_env env, napi_callback_info info) {
  try {
    const Arguments in(env, info);
    return static_cast<const Function*>(in.data())->call(env, in);
  } catch (const Raised&) {
    return nullptr;
  } catch (const std::exception&) {
    static_cast<void>(napi_throw_error(env, "ERR_MEMORY_ALLOCATION_FAILED", "out of memory"));
    return nullptr;
  }
}

void add(napi_env env, napi_value exports, std::span<const Function> functions) {
  for (const Function& each : functions) {
    napi_value made = nullptr;
    check(env, napi_create_function(env, each.name, NAPI_AUTO_LENGTH, &call,
                                    const_cast<Function*>(&each), &made));
    define(env, exports, text(env, each.name), made);
  }
}

napi_value fill(napi_env env, napi_value exports) {
  try {
    Instance::make(env);
    for (const auto& functions : {vault_functions(), record_functions(), stream_functions(),
                                  erasure_functions(), evidence_functions()})
      add(env, exports, functions);
    define(env, exports, text(env, "version"), text(env, quietus_version()));
    return exports;
  } catch (const Raised&) {
    return nullptr;
  } catch (const std::exception&) {
    return nullptr;
  }
}

}  // namespace
}  // namespace quietus::node

NAPI_MODULE_INIT() {
  return quietus::node::fill(env, exports);
}

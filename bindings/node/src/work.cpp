#include "work.hpp"

#include <exception>

namespace quietus::node {

Instance::~Instance() {
  streams_.clear();
  for (const Kind kind : {Kind::kBatch, Kind::kScope, Kind::kVault})
    for (const auto& [number, of] : open_)
      if (of == kind) static_cast<void>(close(kind, number));
}

Instance& Instance::of(napi_env env) {
  void* data = nullptr;
  check(env, napi_get_instance_data(env, &data));
  return *static_cast<Instance*>(data);
}

void Instance::make(napi_env env) {
  auto made = std::make_unique<Instance>();
  check(env,
        napi_set_instance_data(
            env, made.get(),
            [](napi_env, void* data, void*) { delete static_cast<Instance*>(data); }, nullptr));
  static_cast<void>(made.release());
}

napi_value Instance::keep(napi_env env, Kind kind, const void* handle) {
  const auto number = reinterpret_cast<std::uintptr_t>(handle);
  open_.emplace(number, kind);
  napi_value made = nullptr;
  check(env, napi_create_bigint_uint64(env, number, &made));
  return made;
}

std::optional<Instance::Kind> Instance::let_go(std::uint64_t number) {
  const auto found = open_.find(number);
  if (found == open_.end()) return std::nullopt;
  const Kind kind = found->second;
  open_.erase(found);
  return kind;
}

int Instance::close(Kind kind, std::uint64_t number) {
  // NOLINTBEGIN(performance-no-int-to-ptr): what handles are
  switch (kind) {
    case Kind::kVault: return quietus_close(reinterpret_cast<quietus_vault>(number));
    case Kind::kScope: return quietus_close_scope(reinterpret_cast<quietus_scope>(number));
    case Kind::kBatch: break;
  }
  return quietus_close_batch(reinterpret_cast<quietus_batch>(number));
  // NOLINTEND(performance-no-int-to-ptr)
}

napi_value Instance::keep(napi_env env, std::shared_ptr<Stream> stream) {
  const std::uint64_t number = ++streams_made_;
  streams_.emplace(number, std::move(stream));
  napi_value made = nullptr;
  check(env, napi_create_bigint_uint64(env, number, &made));
  return made;
}

std::shared_ptr<Stream> Instance::stream(napi_env env, std::uint64_t number) const {
  const auto found = streams_.find(number);
  if (found == streams_.end()) raise_failure(env, QUIETUS_EINVALID, "the stream has ended");
  return found->second;
}

std::shared_ptr<Stream> Instance::let_go_of(std::uint64_t number) {
  const auto found = streams_.find(number);
  if (found == streams_.end()) return nullptr;
  std::shared_ptr<Stream> stream = std::move(found->second);
  streams_.erase(found);
  return stream;
}

napi_value Work::start(napi_env env, std::unique_ptr<Work> work) {
  napi_value promise = nullptr;
  check(env, napi_create_promise(env, &work->deferred_, &promise));
  check(env, napi_create_async_work(env, nullptr, text(env, "quietus"), &Work::execute,
                                    &Work::complete, work.get(), &work->work_));
  const napi_status queued = napi_queue_async_work(env, work->work_);
  if (queued != napi_ok) {
    static_cast<void>(napi_delete_async_work(env, work->work_));
    check(env, queued);
  }
  static_cast<void>(work.release());  // complete() ends it
  return promise;
}

void Work::execute(napi_env, void* data) {
  auto& work = *static_cast<Work*>(data);
  try {
    const int code = work.run();
    if (code < 0) work.error_ = quietus_last_error();
    work.code_ = code;
  } catch (const std::exception&) {
    return;  // there was no memory: so it says from the beginning
  }
}

// The value, or what to reject with.
napi_value Work::settle(napi_env env, bool* good) {
  *good = false;
  try {
    if (code_ < 0) return failure(env, code_, error_);
    napi_value value = code_ == QUIETUS_ABSENT ? null(env) : show(env);
    *good = true;
    return value;
  } catch (const Raised&) {
    napi_value raised = nullptr;
    static_cast<void>(napi_get_and_clear_last_exception(env, &raised));
    return raised;
  } catch (const std::exception&) {
    napi_value none = nullptr;
    static_cast<void>(napi_get_undefined(env, &none));
    return none;
  }
}

void Work::complete(napi_env env, napi_status, void* data) {
  const std::unique_ptr<Work> work(static_cast<Work*>(data));
  bool good = false;
  napi_value const value = work->settle(env, &good);
  // In an environment that is ending these fail, and nobody waits.
  if (value != nullptr)
    static_cast<void>(good ? napi_resolve_deferred(env, work->deferred_, value)
                           : napi_reject_deferred(env, work->deferred_, value));
  static_cast<void>(napi_delete_async_work(env, work->work_));
}

}  // namespace quietus::node

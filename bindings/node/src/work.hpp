// Calls of the library on threads of libuv's pool, and promises for their answers.
#pragma once

#include <map>
#include <memory>

#include "stream.hpp"
#include "values.hpp"

namespace quietus::node {

// What one environment (the main thread, a worker) has open. Used on its own thread only; what is
// left when it ends is closed then. There is no other state: environments share nothing.
class Instance {
 public:
  enum class Kind { kVault, kScope, kBatch };

  Instance() = default;
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  static Instance& of(napi_env env);
  // To be called once, when the module is loaded.
  static void make(napi_env env);

  // A handle that was opened, as a BigInt.
  napi_value keep(napi_env env, Kind kind, const void* handle);
  // It is not kept any more: who asks closes it. Kind and number; none if it was not open here.
  std::optional<Kind> let_go(std::uint64_t number);
  static int close(Kind kind, std::uint64_t number);

  napi_value keep(napi_env env, std::shared_ptr<Stream> stream);
  // Raises the failure for a handle that is none.
  std::shared_ptr<Stream> stream(napi_env env, std::uint64_t number) const;
  // It ends with the last who has it.
  std::shared_ptr<Stream> let_go_of(std::uint64_t number);

 private:
  std::map<std::uint64_t, Kind> open_;
  std::map<std::uint64_t, std::shared_ptr<Stream>> streams_;
  std::uint64_t streams_made_ = 0;
};

class Work {
 public:
  Work() = default;
  virtual ~Work() = default;
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  // The promise. It is null when the library answers that something is absent.
  static napi_value start(napi_env env, std::unique_ptr<Work> work);

 protected:
  virtual int run() = 0;  // on a thread of the pool
  virtual napi_value show(napi_env env) = 0;

 private:
  static void execute(napi_env env, void* data);
  static void complete(napi_env env, napi_status status, void* data);
  napi_value settle(napi_env env, bool* good);

  napi_async_work work_ = nullptr;
  napi_deferred deferred_ = nullptr;
  int code_ = QUIETUS_EINTERNAL;
  std::string error_ = "out of memory";
};

// `run(call)` on a thread of the pool gives the library's answer, `show(env, call)` then the value.
template <class Call, class Run, class Show>
napi_value promise(napi_env env, Call call, Run run, Show show) {
  class Made final : public Work {
   public:
    Made(Call call, Run run, Show show)
        : call_(std::move(call)), run_(std::move(run)), show_(std::move(show)) {}

   protected:
    int run() override { return run_(call_); }
    napi_value show(napi_env env) override { return show_(env, call_); }

   private:
    Call call_;
    Run run_;
    Show show_;
  };
  return Work::start(env, std::make_unique<Made>(std::move(call), std::move(run), std::move(show)));
}

// For what gives nothing.
template <class Call, class Run>
napi_value promise(napi_env env, Call call, Run run) {
  return promise(env, std::move(call), std::move(run), [](napi_env in, const Call&) {
    napi_value nothing = nullptr;
    check(in, napi_get_undefined(in, &nothing));
    return nothing;
  });
}

}  // namespace quietus::node

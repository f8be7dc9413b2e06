// Records, batches and tokens.
#include <array>

#include "functions.hpp"

namespace quietus::node {
namespace {

struct Named {
  quietus_scope scope;
  std::string name;
};

napi_value put(napi_env env, const Arguments& in) {
  struct Call {
    Named of;
    Secret content;
    PutHow how;
    quietus_record_version version;
  };
  return promise(
      env, Call{{in.scope(0), in.text(1)}, in.bytes(2), PutHow(in, 3), {}},
      [](Call& call) {
        const quietus_put_options how = call.how.options();
        return quietus_put(call.of.scope, call.of.name.c_str(), call.content.data(),
                           call.content.size(), &how, &call.version);
      },
      [](napi_env to, const Call& call) { return version(to, call.version); });
}

// Of the library's own copy one is made, and nothing is asked twice.
int take(void* context, const std::uint8_t* data, std::size_t size) {
  *static_cast<Secret*>(context) = size == 0 ? Secret() : Secret(data, size);
  return 0;
}

napi_value get(napi_env env, const Arguments& in) {
  struct Call {
    Named of;
    Secret content;
  };
  return promise(
      env, Call{{in.scope(0), in.text(1)}, {}},
      [](Call& call) {
        return quietus_get_view(call.of.scope, call.of.name.c_str(), take, &call.content);
      },
      [](napi_env to, const Call& call) { return buffer(to, call.content); });
}

struct RecordInfo {
  std::string name;
  std::string content_type;
  std::uint64_t bytes;
  std::int64_t modified_ms;
  quietus_record_version version;
};

struct RecordSearch {
  Named of;  // or the prefix
  std::vector<RecordInfo> found;
};

int see_record(void* context, const quietus_record_info* info) {
  static_cast<RecordSearch*>(context)->found.push_back(
      {info->name, info->content_type, info->bytes, info->modified_ms, info->version});
  return 0;
}

napi_value show_record(napi_env env, const RecordInfo& info) {
  return Object(env)
      .set("name", text(env, info.name))
      .set("size", number(env, info.bytes))
      .set("contentType", text(env, info.content_type))
      .set("modified", time(env, info.modified_ms))
      .set("version", version(env, info.version))
      .value();
}

napi_value stat(napi_env env, const Arguments& in) {
  return promise(
      env, RecordSearch{{in.scope(0), in.text(1)}, {}},
      [](RecordSearch& call) {
        return quietus_stat(call.of.scope, call.of.name.c_str(), see_record, &call);
      },
      [](napi_env to, const RecordSearch& call) { return show_record(to, call.found.at(0)); });
}

napi_value list(napi_env env, const Arguments& in) {
  return promise(
      env, RecordSearch{{in.scope(0), in.text(1)}, {}},
      [](RecordSearch& call) {
        return quietus_list(call.of.scope, call.of.name.c_str(), see_record, &call);
      },
      [](napi_env to, const RecordSearch& call) { return array(to, call.found, show_record); });
}

napi_value remove(napi_env env, const Arguments& in) {
  struct Call {
    Named of;
    std::optional<quietus_record_version> expected;
  };
  return promise(env, Call{{in.scope(0), in.text(1)}, in.optional_version(2)}, [](Call& call) {
    return quietus_remove(call.of.scope, call.of.name.c_str(),
                          call.expected ? &*call.expected : nullptr);
  });
}

napi_value nothing(napi_env env) {
  napi_value made = nullptr;
  check(env, napi_get_undefined(env, &made));
  return made;
}

// These only move memory.
napi_value new_batch(napi_env env, const Arguments&) {
  quietus_batch batch = nullptr;
  check_answer(env, quietus_new_batch(&batch));
  return Instance::of(env).keep(env, Instance::Kind::kBatch, batch);
}

napi_value batch_put(napi_env env, const Arguments& in) {
  const std::string name = in.text(1);
  const Secret content = in.bytes(2);
  const PutHow given(in, 3);
  const quietus_put_options how = given.options();
  check_answer(env,
               quietus_batch_put(in.batch(0), name.c_str(), content.data(), content.size(), &how));
  return nothing(env);
}

napi_value batch_remove(napi_env env, const Arguments& in) {
  check_answer(env, quietus_batch_remove(in.batch(0), in.text(1).c_str()));
  return nothing(env);
}

napi_value write(napi_env env, const Arguments& in) {
  struct Call {
    quietus_scope scope;
    quietus_batch batch;
  };
  return promise(env, Call{in.scope(0), in.batch(1)},
                 [](Call& call) { return quietus_write(call.scope, call.batch); });
}

struct Turning {
  quietus_scope scope;
  Secret from;
  Secret to;
};

napi_value seal(napi_env env, const Arguments& in) {
  return promise(
      env, Turning{in.scope(0), in.bytes(1), {}},
      [](Turning& call) {
        const std::size_t size = call.from.size();
        return write_all(size + size / 1024 + 256, call.to,
                         [&](void* token, std::size_t capacity, std::size_t* used) {
                           return quietus_seal(call.scope, call.from.data(), size, token, capacity,
                                               used);
                         });
      },
      [](napi_env to, const Turning& call) { return buffer(to, call.to); });
}

napi_value unseal(napi_env env, const Arguments& in) {
  return promise(
      env, Turning{in.scope(0), in.bytes(1), {}},
      [](Turning& call) {
        return write_all(call.from.size(), call.to,
                         [&](void* data, std::size_t capacity, std::size_t* used) {
                           return quietus_unseal(call.scope, call.from.data(), call.from.size(),
                                                 data, capacity, used);
                         });
      },
      [](napi_env to, const Turning& call) { return buffer(to, call.to); });
}

napi_value pseudonym(napi_env env, const Arguments& in) {
  struct Call {
    quietus_scope scope;
    Secret value;
    std::array<std::uint8_t, 16> made;
  };
  return promise(
      env, Call{in.scope(0), in.bytes(1), {}},
      [](Call& call) {
        return quietus_pseudonym(call.scope, call.value.data(), call.value.size(),
                                 call.made.data());
      },
      [](napi_env to, const Call& call) { return buffer(to, call.made.data(), call.made.size()); });
}

constexpr std::array kRecordFunctions{
    Function{"put", put},
    Function{"get", get},
    Function{"stat", stat},
    Function{"list", list},
    Function{"remove", remove},
    Function{"newBatch", new_batch},
    Function{"batchPut", batch_put},
    Function{"batchRemove", batch_remove},
    Function{"write", write},
    Function{"seal", seal},
    Function{"unseal", unseal},
    Function{"pseudonym", pseudonym},
};

}  // namespace

std::span<const Function> record_functions() {
  return kRecordFunctions;
}

}  // namespace quietus::node

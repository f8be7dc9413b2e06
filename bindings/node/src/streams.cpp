// Records of any size, piece by piece.
#include <array>

#include "functions.hpp"

namespace quietus::node {
namespace {

napi_value open_writer(napi_env env, const Arguments& in) {
  auto stream = std::make_shared<Stream>(
      [scope = in.scope(0), name = in.text(1), given = PutHow(in, 2)](Stream& self) {
        const quietus_put_options how = given.options();
        return quietus_put_stream(scope, name.c_str(), Stream::source, &self, &how, self.version());
      });
  return Instance::of(env).keep(env, std::move(stream));
}

napi_value open_reader(napi_env env, const Arguments& in) {
  auto stream = std::make_shared<Stream>([scope = in.scope(0), name = in.text(1)](Stream& self) {
    return quietus_get_stream(scope, name.c_str(), Stream::sink, &self);
  });
  return Instance::of(env).keep(env, std::move(stream));
}

struct Stepping {
  std::uint64_t number;
  std::shared_ptr<Stream> stream;
  Secret chunk;
  Stream::Step made;
};

// Null: there is no such record. {ended, piece, version}, of which the version is what a writer
// made.
napi_value step(napi_env env, const Arguments& in) {
  const std::uint64_t number = in.big(0);
  return promise(
      env, Stepping{number, Instance::of(env).stream(env, number), in.bytes(1), {}},
      [](Stepping& call) {
        call.made = call.stream->step(std::move(call.chunk));
        return QUIETUS_OK;
      },
      [](napi_env to, const Stepping& call) {
        const Stream::Step& made = call.made;
        if (!made.ended)
          return Object(to)
              .set("ended", flag(to, false))
              .set("piece", buffer(to, made.piece))
              .value();
        if (made.code == QUIETUS_STOPPED)
          raise_failure(to, QUIETUS_EUNAVAILABLE, "the stream was stopped");
        if (made.code < 0) raise_failure(to, made.code, made.error);
        if (made.code == QUIETUS_ABSENT) return null(to);
        return Object(to)
            .set("ended", flag(to, true))
            .set("version", version(to, *call.stream->version()))
            .value();
      });
}

// Also of one that has ended: it is gone then. A second time it does nothing.
napi_value stop(napi_env env, const Arguments& in) {
  const std::uint64_t number = in.big(0);
  auto stream = Instance::of(env).let_go_of(number);
  return promise(env, std::move(stream), [](std::shared_ptr<Stream>& of) {
    of.reset();
    return QUIETUS_OK;
  });
}

constexpr std::array kStreamFunctions{
    Function{"openWriter", open_writer},
    Function{"openReader", open_reader},
    Function{"step", step},
    Function{"stopStream", stop},
};

}  // namespace

std::span<const Function> stream_functions() {
  return kStreamFunctions;
}

}  // namespace quietus::node

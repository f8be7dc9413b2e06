#include "record_fence.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"

namespace quietus {
namespace {

constexpr std::uint32_t kFirstGeneration = 1;  // for which there need be no row

RecordKeyRef fence_row(ScopeId scope) {
  return {RecordTable::kFence, scope, {}};
}

Result<std::uint32_t> least_generation_of(RecordReader& reader, ScopeId scope) {
  QUIETUS_TRY_AS(const auto row, reader.get(fence_row(scope)));
  if (!row) return std::uint32_t{0};
  ByteReader in(*row);
  const std::uint32_t least = in.u32();
  if (!in.done()) return Error(ErrorCode::kCorrupt, "fence: malformed");
  return least;
}

}  // namespace

Result<void> raise_fence(RecordWriter& writer, ScopeId scope, std::uint32_t least_generation) {
  QUIETUS_TRY_AS(const std::uint32_t now, least_generation_of(writer, scope));
  if (least_generation <= std::max(now, kFirstGeneration)) return {};
  return writer.put(fence_row(scope), ByteWriter().u32(least_generation).take());
}

Result<void> check_fence(RecordReader& reader, ScopeId scope, std::uint32_t generation,
                         const KeyCache::Use& use) {
  QUIETUS_TRY_AS(const std::uint32_t least, least_generation_of(reader, scope));
  if (least == kErasedFence) return Error(ErrorCode::kErased, "the scope was erased");
  if (generation >= least) return {};
  use.set_outdated();
  return Error(ErrorCode::kBusy, "the scope's key is being replaced; try again");
}

}  // namespace quietus

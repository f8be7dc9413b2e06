// What an open tells the caller's log.
#include <algorithm>

#include "support/failpoint_hook.hpp"
#include "support/temp_vault.hpp"

namespace quietus::test {
namespace {

using Lines = std::vector<std::string>;

bool tells_of(const Lines& lines, std::string_view what) {
  return std::ranges::any_of(
      lines, [&](const std::string& line) { return line.find(what) != std::string::npos; });
}

OpenOptions listening(Lines& lines) {
  OpenOptions options;
  options.notice = [&lines](std::string_view line) { lines.emplace_back(line); };
  return options;
}

}  // namespace

TEST_CASE("an open that finds nothing tells nothing of erasures", "[open]") {
  TempVault place;
  Lines lines;
  place.reopen(listening(lines));
  CHECK_FALSE(tells_of(lines, "interrupted"));
}

#ifdef QUIETUS_FAILPOINTS
TEST_CASE("an open tells which interrupted erasure it finished", "[open]") {
  TempVault place;
  static_cast<void>(place.scope("acme"));
  {
    const FailpointHook hook([](std::string_view point) -> Result<void> {
      if (point != "change/after-t2") return {};
      return Error(ErrorCode::kIo, "injected");
    });
    CHECK_FALSE(place.vault().erase("acme", "other").ok());
  }
  const auto pending = must(place.vault().status()).pending;
  REQUIRE(pending.size() == 1);

  Lines lines;
  OpenOptions looking = listening(lines);
  looking.read_only = true;
  place.reopen(looking);
  CHECK(tells_of(lines, "is left to who may write"));

  lines.clear();
  place.reopen(listening(lines));
  CHECK(tells_of(lines, "is finished: " + pending.front().erasure_id));
  CHECK(must(place.vault().status()).pending.empty());

  lines.clear();
  place.reopen(listening(lines));
  CHECK_FALSE(tells_of(lines, "interrupted"));
}
#endif

}  // namespace quietus::test

// Callbacks that throw, through the C interface and the C++ one: what is done stays done, and what
// has gone out is in the log.
#include <quietus/operations.h>
#include <quietus/portability.hpp>

#include <stdexcept>

#include "support/temp_vault.hpp"

namespace quietus::test {
namespace {

int throwing_visit(void*, const quietus_erasure*) {
  throw std::runtime_error("of the visitor");
}
int throwing_sink(void*, const std::uint8_t*, std::size_t) {
  throw std::runtime_error("of the sink");
}

std::string last_entry(Vault& vault) {
  return must(vault.log_entry(must(vault.log_head()).size - 1));
}

// A vault with "acme", closed, and opened again through the C interface.
struct OpenedInC {
  TempVault place;
  quietus_vault vault = nullptr;

  OpenedInC() {
    must(place.scope("acme").put("a", as_bytes("123")));
    place.close();
    const std::string key = place.key_file().string();
    const quietus_unlock unlock{sizeof unlock, key.c_str(), nullptr};
    REQUIRE(quietus_open(place.vault_folder().c_str(), &unlock, nullptr, &vault) == QUIETUS_OK);
  }
  OpenedInC(const OpenedInC&) = delete;
  OpenedInC& operator=(const OpenedInC&) = delete;
  ~OpenedInC() { quietus_close(vault); }
};

}  // namespace

TEST_CASE("an erasure that was done is answered as done when its visitor throws", "[c]") {
  const OpenedInC opened;
  const char* const paths[] = {"acme"};
  CHECK(quietus_erase(opened.vault, paths, 1, "other", throwing_visit, nullptr) == QUIETUS_OK);
  quietus_scope scope = nullptr;
  CHECK(quietus_open_scope(opened.vault, "acme", &scope) == QUIETUS_EERASED);
}

TEST_CASE("an export whose sink throws is in the log", "[c][portability]") {
  OpenedInC opened;
  CHECK(quietus_export_ndjson(opened.vault, "acme", nullptr, throwing_sink, nullptr, nullptr) ==
        QUIETUS_EINTERNAL);
  quietus_close(opened.vault);
  opened.vault = nullptr;
  opened.place.reopen();
  Vault vault = opened.place.vault();
  CHECK(last_entry(vault).find("\"export-made\"") != std::string::npos);
  CHECK(last_entry(vault).find("\"records\":1,\"bytes\":3") != std::string::npos);
}

TEST_CASE("a record whose export was stopped on its way is counted in the log", "[portability]") {
  const TempVault place;
  must(place.scope("acme").put("a", as_bytes("123")));
  Vault vault = place.vault();
  const auto stopped = export_ndjson(
      vault, "acme", [](ByteView) -> Result<void> { return Error(ErrorCode::kIo, "a full pipe"); });
  CHECK(must(stopped).stopped);
  CHECK(last_entry(vault).find("\"records\":1,\"bytes\":3") != std::string::npos);
}

}  // namespace quietus::test

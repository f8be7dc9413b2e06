#include "crypto/passphrase.hpp"

#include <sys/resource.h>

#include <catch2/catch.hpp>

#include "support/child_process.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

using namespace quietus;
using quietus::test::hex_field;
using quietus::test::must;
using quietus::test::to_array;

namespace {

bool within_bounds(const Argon2Parameters& parameters) {
  return parameters.passes >= kArgon2Floor.passes &&
         parameters.memory_kib >= kArgon2Floor.memory_kib;
}

std::string hex_of(const UnlockKey& key) {
  return key.expose([](ByteView bytes) { return to_hex(bytes); });
}

}  // namespace

// Values that libsodium and libargon2 agree on; those below the floor are refused.
TEST_CASE("Argon2id agrees with two other implementations") {
  const auto file = test::own_vectors("argon2id.json");
  const auto passphrase = file.at("password_ascii").get<std::string>();
  const auto salt = to_array<16>(hex_field(file, "salt"));
  int derived = 0;
  for (const auto& vector : file.at("libsodium")) {
    const Argon2Parameters parameters{vector.at("t").get<std::uint32_t>(),
                                      vector.at("m_bytes").get<std::uint32_t>() / 1024};
    INFO("passes " << parameters.passes << ", KiB " << parameters.memory_kib);
    const auto key = derive_from_passphrase(as_bytes(passphrase), salt, parameters);
    if (!within_bounds(parameters)) {
      CHECK_FALSE(key.ok());
      continue;
    }
    REQUIRE(key.ok());
    CHECK(hex_of(key.value()) == vector.at("tag"));
    ++derived;
  }
  CHECK(derived == 2);
}

TEST_CASE("every input of the passphrase derivation matters") {
  const Argon2Salt salt{1};
  const auto derive_hex = [&](std::string_view passphrase, const Argon2Salt& with,
                              Argon2Parameters parameters) {
    return hex_of(must(derive_from_passphrase(as_bytes(passphrase), with, parameters)));
  };
  const std::string base = derive_hex("a", salt, kArgon2Floor);
  CHECK(derive_hex("a", salt, kArgon2Floor) == base);
  CHECK(derive_hex("b", salt, kArgon2Floor) != base);
  CHECK(derive_hex("", salt, kArgon2Floor) != base);
  CHECK(derive_hex({}, salt, kArgon2Floor) == derive_hex("", salt, kArgon2Floor));
  CHECK(derive_hex("a", Argon2Salt{2}, kArgon2Floor) != base);
  CHECK(derive_hex("a", salt, {3, kArgon2Floor.memory_kib}) != base);
  CHECK(derive_hex("a", salt, {2, kArgon2Floor.memory_kib + 1024}) != base);
}

TEST_CASE("stored parameters have a floor and a ceiling") {
  const auto [low_passes, low_memory] = std::pair{kArgon2Floor.passes, kArgon2Floor.memory_kib};
  const auto [high_passes, high_memory] =
      std::pair{kArgon2Ceiling.passes, kArgon2Ceiling.memory_kib};
  CHECK(check_argon2(Argon2Parameters{}).ok());
  CHECK(check_argon2(kArgon2Floor).ok());
  CHECK(check_argon2(kArgon2Ceiling).ok());
  const Argon2Parameters bad[] = {
      {0, 0},
      {low_passes - 1, high_memory},
      {high_passes, low_memory - 1},
      {high_passes + 1, low_memory},
      {low_passes, high_memory + 1},
      {~0U, ~0U},
  };
  for (const Argon2Parameters& parameters : bad) {
    INFO("passes " << parameters.passes << ", KiB " << parameters.memory_kib);
    CHECK_FAILS_WITH(check_argon2(parameters), ErrorCode::kCorrupt);
    CHECK_FAILS_WITH(derive_from_passphrase(as_bytes("x"), Argon2Salt{}, parameters),
                     ErrorCode::kCorrupt);
  }
}

TEST_CASE("too little memory for a passphrase is unavailable, not corrupt") {
  if (QUIETUS_TEST_SANITIZED) {
    WARN("skipped: address-space limits do not work under sanitizers");
    return;
  }
  CHECK(test::true_in_child([] {
    const rlimit limit{std::size_t{600} << 20, std::size_t{600} << 20};
    if (setrlimit(RLIMIT_AS, &limit) != 0) return false;
    const auto key = derive_from_passphrase(as_bytes("x"), Argon2Salt{}, {2, 1024 * 1024});
    return !key.ok() && key.error().code() == ErrorCode::kUnavailable;
  }));
}

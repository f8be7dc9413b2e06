#include "evidence/subject.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "base/byte_writer.hpp"
#include "evidence/test_keys.hpp"

namespace quietus::test {
namespace {

Bytes bytes_of(const SubjectSalt& salt) {
  return salt.expose([](ByteView bytes) { return Bytes(bytes.begin(), bytes.end()); });
}

TEST_CASE("a salt is of one tenant, one erasure and one scope", "[subject]") {
  const auto tenant = key_from<LastingRole>(sha256(as_bytes("acme")));
  const auto other = key_from<LastingRole>(sha256(as_bytes("globex")));
  const ErasureId erasure{1};
  const Bytes salt = bytes_of(subject_salt(tenant, erasure, 7));
  CHECK(salt == bytes_of(subject_salt(tenant, erasure, 7)));
  const std::set<Bytes> all{salt, bytes_of(subject_salt(tenant, erasure, 8)),
                            bytes_of(subject_salt(tenant, ErasureId{2}, 7)),
                            bytes_of(subject_salt(other, erasure, 7))};
  CHECK(all.size() == 4);
}

TEST_CASE("a salt is the HKDF-Expand that the format says", "[subject]") {
  const Sha256 key = sha256(as_bytes("acme"));
  const ErasureId erasure{1, 2, 3};
  Bytes expected(kSubjectSaltSize);
  const Bytes info =
      ByteWriter().raw(as_bytes("quietus/v1/subject-salts")).u8(0).raw(erasure).u64(7).take();
  hkdf_expand_sha256(key, info, expected);
  CHECK(bytes_of(subject_salt(key_from<LastingRole>(key), erasure, 7)) == expected);
}

}  // namespace
}  // namespace quietus::test

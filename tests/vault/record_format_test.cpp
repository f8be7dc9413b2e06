#include "record_format.hpp"

#include "crypto/random.hpp"
#include "support/result_matchers.hpp"
#include "support/vector_files.hpp"

using namespace quietus;
using namespace quietus::test;

namespace {

template <class Role>
Key<Role> key_of(ByteView bytes) {
  return Key<Role>::make(
      [&](MutableBytes out) { std::copy(bytes.begin(), bytes.end(), out.begin()); });
}

struct Opened {
  RecordMetadata metadata;
  std::string name;
  std::string content_type;
  Bytes content;
};

// One scope's keys and one record's place in it.
struct RecordFixture {
  std::unique_ptr<GcmContext> context = openssl_engine().make_context();
  RecordKey key = random_key<RecordRole>();
  VaultId vault{1, 2, 3};
  ScopeId scope = 0x1122334455667788;
  std::uint32_t generation = 7;
  Prf128 row{9, 8, 7};
  Version version = fresh_version();

  static Version fresh_version() {
    Version fresh{};
    random_bytes(fresh);
    return fresh;
  }

  RecordSeal seal() const { return {*context, key, generation, vault, scope}; }

  Bytes stored(const RecordMetadata& metadata, ByteView content) const {
    Bytes out(stored_record_size(metadata, content.size()));
    seal_record(seal(), row, version, metadata, content, out);
    return out;
  }
  Bytes stored(std::string_view name, ByteView content) const {
    return stored({1'000, content.size(), name, "text/plain", {}}, content);
  }

  Result<Bytes> content_of(ByteView value) const {
    QUIETUS_TRY_AS(const StoredRecord record, StoredRecord::parse(value));
    Bytes content(record.inline_size(), 0xAA);
    const auto opened = RecordOpener(seal(), row, record).open_content(content);
    if (!opened) CHECK(all_zero(content));
    if (!opened) return opened.error();
    return content;
  }
  Result<Opened> metadata_of(ByteView value) const {
    QUIETUS_TRY_AS(const StoredRecord record, StoredRecord::parse(value));
    MetadataRoom room;
    QUIETUS_TRY_AS(const RecordMetadata metadata,
                   RecordOpener(seal(), row, record).open_metadata(room));
    return Opened{metadata, std::string(metadata.name), std::string(metadata.content_type), {}};
  }
  bool opens(ByteView value) const { return content_of(value).ok() || metadata_of(value).ok(); }
};

constexpr std::size_t kSealedMetadataAt = kRecordHeaderSize;

std::size_t sealed_metadata_size(ByteView value) {
  return static_cast<std::size_t>(value[6] << 8 | value[7]) + kTagSize;
}

ObjectRef some_object(std::uint64_t size) {
  ObjectRef object;
  object.id = {4, 5, 6};
  object.sealed_size = cobblestone::sealed_size(size);
  object.header.fill(0x77);
  return object;
}

}  // namespace

TEST_CASE_METHOD(RecordFixture, "a sealed record opens again") {
  for (const std::size_t size : {0U, 1U, 15U, 16U, 1000U, 262144U}) {
    Bytes content(size);
    random_bytes(content);
    const Bytes value = stored({-5, size, "name", "type", {}}, content);
    CHECK(must(content_of(value)) == content);
    const Opened opened = must(metadata_of(value));
    CHECK(opened.name == "name");
    CHECK(opened.content_type == "type");
    CHECK(opened.metadata.size == size);
    CHECK(opened.metadata.modified == -5);
    CHECK(!opened.metadata.object);
  }
}

TEST_CASE_METHOD(RecordFixture, "the longest name and content type fit") {
  const std::string name(kMaxRecordName, 'n');
  const std::string type(kMaxContentType, 't');
  const ObjectRef object = some_object(0);
  const Opened opened = must(metadata_of(stored({1, 0, name, type, object}, {})));
  CHECK(opened.name == name);
  CHECK(opened.content_type == type);
}

TEST_CASE_METHOD(RecordFixture, "the record of a large object holds what opens the object") {
  const std::uint64_t size = std::uint64_t{5} << 30;
  const ObjectRef object = some_object(size);
  const Bytes value = stored({1, size, "big", "", object}, {});
  const StoredRecord record = must(StoredRecord::parse(value));
  CHECK(record.is_object());
  CHECK(record.inline_size() == 0);
  const Opened opened = must(metadata_of(value));
  CHECK(opened.metadata.size == size);
  REQUIRE(opened.metadata.object);
  CHECK(opened.metadata.object->id == object.id);
  CHECK(opened.metadata.object->sealed_size == object.sealed_size);
  CHECK(opened.metadata.object->header == object.header);
  CHECK(opened.metadata.object->origin == object.origin);
}

TEST_CASE_METHOD(RecordFixture,
                 "an inline record costs at most 128 bytes beside name and content") {
  constexpr std::size_t kRowKey = 8 + sizeof(Prf128);
  const Bytes content(100);
  const std::size_t size = stored_record_size({1, 100, "user-7", "", {}}, content.size());
  CHECK(kRowKey + size - std::string_view("user-7").size() - content.size() <= 128);
}

TEST_CASE("the record format is the one that an independent program writes") {
  const auto context = openssl_engine().make_context();
  for (const auto& vector : own_vectors("records/record_format.json")) {
    INFO(vector.at("case").get<std::string>());
    const auto record_key = key_of<RecordRole>(hex_field(vector, "record_key"));
    const auto name_key = key_of<NamePrfRole>(hex_field(vector, "name_key"));
    const auto vault = to_array<16>(hex_field(vector, "vault"));
    const auto name = vector.at("name").get<std::string>();
    const auto type = vector.at("content_type").get<std::string>();
    const Prf128 row = prf128(name_key, as_bytes(name));
    CHECK(to_bytes(row) == hex_field(vector, "row"));

    const RecordSeal seal{*context, record_key, vector.at("generation").get<std::uint32_t>(), vault,
                          vector.at("scope").get<ScopeId>()};
    RecordMetadata metadata{vector.at("modified").get<UnixMillis>(),
                            vector.at("size").get<std::uint64_t>(),
                            name,
                            type,
                            {}};
    if (vector.contains("object")) {
      const auto& object = vector.at("object");
      metadata.object = ObjectRef{to_array<16>(hex_field(object, "id")),
                                  object.at("sealed_size").get<std::uint64_t>(),
                                  to_array<cobblestone::kHeaderSize>(hex_field(object, "header")),
                                  to_array<sizeof(Version)>(hex_field(object, "origin"))};
    }
    const Bytes content = hex_field(vector, "content");
    Bytes stored(stored_record_size(metadata, content.size()));
    seal_record(seal, row, to_array<24>(hex_field(vector, "nonce")), metadata, content, stored);
    CHECK(to_hex(stored) == vector.at("stored").get<std::string>());
    const StoredRecord parsed = must(StoredRecord::parse(stored));
    MetadataRoom room;
    CHECK(must(RecordOpener(seal, row, parsed).open_metadata(room)).name == name);
  }
}

TEST_CASE_METHOD(RecordFixture, "the header shows generation and version") {
  const StoredRecord record = must(StoredRecord::parse(stored("name", Bytes(10))));
  CHECK(record.generation() == generation);
  CHECK(record.version() == version);
  CHECK(record.inline_size() == 10);
}

TEST_CASE_METHOD(RecordFixture, "a record with any byte changed is refused") {
  const Bytes value = stored("name", Bytes(40, 0x5A));
  const std::size_t content_at = kSealedMetadataAt + sealed_metadata_size(value);
  for (std::size_t i = 0; i < value.size(); ++i) {
    INFO("byte " << i);
    Bytes damaged = value;
    damaged[i] ^= 0x01;
    if (i < kSealedMetadataAt) CHECK(!opens(damaged));
    if (i >= kSealedMetadataAt && i < content_at)
      CHECK_FAILS_WITH(metadata_of(damaged), ErrorCode::kCorrupt);
    if (i >= content_at) CHECK_FAILS_WITH(content_of(damaged), ErrorCode::kCorrupt);
  }
}

TEST_CASE_METHOD(RecordFixture, "a record of any other length is refused") {
  const Bytes value = stored("name", Bytes(40, 0x5A));
  for (std::size_t size = 0; size < value.size(); ++size)
    CHECK_FAILS_WITH(content_of(ByteView(value).first(size)), ErrorCode::kCorrupt);
  Bytes longer = value;
  longer.push_back(0);
  CHECK_FAILS_WITH(content_of(longer), ErrorCode::kCorrupt);
  const Bytes object = stored({1, 0, "big", "", some_object(0)}, {});
  Bytes with_content = object;
  with_content.resize(object.size() + kTagSize);
  CHECK_FAILS_WITH(StoredRecord::parse(with_content), ErrorCode::kCorrupt);
}

TEST_CASE_METHOD(RecordFixture, "a record cannot be moved") {
  const Bytes value = stored("name", Bytes(40));
  REQUIRE(opens(value));
  SECTION("to another name") {
    row[0] ^= 1;
  }
  SECTION("to another scope") {
    scope ^= 1;
  }
  SECTION("to another vault") {
    vault[15] ^= 1;
  }
  SECTION("to another key") {
    key = random_key<RecordRole>();
  }
  CHECK(!opens(value));
}

TEST_CASE_METHOD(RecordFixture, "parts of two versions of a record do not go together") {
  const Bytes before = stored("name", Bytes(40, 1));
  version = fresh_version();
  const Bytes after = stored("name", Bytes(40, 2));
  REQUIRE(before.size() == after.size());
  const auto content_at =
      static_cast<std::ptrdiff_t>(kSealedMetadataAt + sealed_metadata_size(after));
  const auto metadata_at = static_cast<std::ptrdiff_t>(kSealedMetadataAt);

  Bytes old_content = after;
  std::copy(before.begin() + content_at, before.end(), old_content.begin() + content_at);
  CHECK_FAILS_WITH(content_of(old_content), ErrorCode::kCorrupt);
  CHECK(metadata_of(old_content));  // what was not touched still opens

  Bytes old_metadata = after;
  std::copy(before.begin() + metadata_at, before.begin() + content_at,
            old_metadata.begin() + metadata_at);
  CHECK_FAILS_WITH(metadata_of(old_metadata), ErrorCode::kCorrupt);
  CHECK(content_of(old_metadata));

  Bytes old_header = after;
  std::copy(before.begin(), before.begin() + metadata_at, old_header.begin());
  CHECK(!opens(old_header));
}

TEST_CASE_METHOD(RecordFixture, "content and metadata cannot stand for each other") {
  const Bytes value = stored("name", Bytes(10));
  const std::size_t metadata = sealed_metadata_size(value);
  // A content as long as the metadata.
  const Bytes even = stored("name", Bytes(metadata - kTagSize));
  Bytes swapped = even;
  std::rotate(swapped.begin() + static_cast<std::ptrdiff_t>(kSealedMetadataAt),
              swapped.begin() + static_cast<std::ptrdiff_t>(kSealedMetadataAt + metadata),
              swapped.end());
  REQUIRE(opens(even));
  CHECK(!opens(swapped));
  // With the last bit of N flipped, too, each part would be under the nonce of the other.
  swapped[kRecordHeaderSize - 1] ^= 1;
  CHECK(!opens(swapped));
}

TEST_CASE_METHOD(RecordFixture, "a record cannot be passed off as a large object or the reverse") {
  Bytes record = stored("name", Bytes(10));
  record[1] = 1;
  CHECK(!opens(record));
  record.resize(kSealedMetadataAt + sealed_metadata_size(record));
  CHECK_FAILS_WITH(metadata_of(record), ErrorCode::kCorrupt);
  Bytes object = stored({1, 0, "big", "", some_object(0)}, {});
  object[1] = 0;
  CHECK(!opens(object));
  object.resize(object.size() + kTagSize);
  CHECK(!opens(object));
}

TEST_CASE_METHOD(RecordFixture, "metadata that contradicts the record is refused") {
  CHECK_FAILS_WITH(metadata_of(stored({1, 11, "name", "", {}}, Bytes(10))), ErrorCode::kCorrupt);
  ObjectRef object = some_object(100);
  CHECK_FAILS_WITH(metadata_of(stored({1, 99, "big", "", object}, {})), ErrorCode::kCorrupt);
  object.sealed_size = cobblestone::kHeaderSize + 3;
  CHECK_FAILS_WITH(metadata_of(stored({1, 0, "big", "", object}, {})), ErrorCode::kCorrupt);
}

TEST_CASE_METHOD(RecordFixture, "unknown versions and flags are refused") {
  const Bytes value = stored("name", Bytes(10));
  for (const unsigned flags : {2U, 0x80U, 3U}) {
    Bytes damaged = value;
    damaged[1] = static_cast<std::uint8_t>(flags);
    CHECK_FAILS_WITH(StoredRecord::parse(damaged), ErrorCode::kCorrupt);
  }
  for (const unsigned format : {0U, 2U, 255U}) {
    Bytes damaged = value;
    damaged[0] = static_cast<std::uint8_t>(format);
    CHECK_FAILS_WITH(StoredRecord::parse(damaged), ErrorCode::kCorrupt);
  }
}

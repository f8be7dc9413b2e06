// Must hold 2: no name, id, reason or content, and no unlock secret, is in the clear in any byte
// that a vault writes.
#include "faults/markers.hpp"

#include <quietus/portability.hpp>
#include <quietus/vault.hpp>

#include <catch2/catch.hpp>
#include <fstream>

#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "faults/file_bytes.hpp"
#include "faults/write_recorder.hpp"
#include "keys/unlock.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"

namespace quietus::test {
namespace {

TEST_CASE("a marker is found in each form in which it could leak, and otherwise not") {
  Markers markers;
  const std::string marker = markers.plant("marker");
  CHECK(markers.found_in(as_bytes("before " + marker.substr(0, 16))) ==
        std::vector<std::string>{"marker"});
  CHECK(markers.found_in(as_bytes(marker.substr(16))) == std::vector<std::string>{"marker"});
  CHECK(markers.found_in(as_bytes(to_hex(as_bytes(marker.substr(3))))) ==
        std::vector<std::string>{"marker (hex)"});
  for (const std::string before : {"", "1", "12"})
    CHECK(markers.found_in(as_bytes(to_base64(as_bytes(before + marker)))).size() == 2);
  CHECK(markers.found_in(as_bytes(marker.substr(1, 15) + marker.substr(17))).empty());
}

// Everything that a vault is told, of which nothing may show.
struct Story {
  Markers markers;
  TemporaryFolder folder{TemporaryFolder::in_memory()};
  std::string tenant = markers.plant("tenant");
  std::string other = markers.plant("other tenant");
  std::string data_class = markers.plant("data class");
  std::string subject = markers.plant("subject");
  std::string record = markers.plant("record name");
  std::string imported = markers.plant("imported name");
  std::string content = markers.plant("content");
  std::string large_content = markers.plant("large content");
  std::string imported_content = markers.plant("imported content");
  std::string type = markers.plant("content type");
  std::string reason = markers.plant("reason");
  std::string authority = markers.plant("authority of a hold");
  std::string unknown = markers.plant("name that is not there");
  std::string passphrase = markers.plant("passphrase");

  std::filesystem::path watched() const { return folder / "watched"; }
  std::filesystem::path vault_folder() const { return watched() / "vault"; }
  std::filesystem::path key_file() const { return folder / "key"; }
  std::filesystem::path passphrase_file() const { return folder / "passphrase"; }
};

void write_records(const Story& story, Scope scope) {
  PutOptions options;
  options.content_type = story.type;
  must(scope.put(story.record, as_bytes(story.content), options));
  must(scope.put(story.record, as_bytes(story.content + story.content), options));
  std::string large;
  while (large.size() < 600'000) large += story.large_content;
  must(scope.put("large", as_bytes(large), options));
  Batch batch;
  batch.put(story.record + "/below", as_bytes(story.content));
  batch.remove(story.record);
  must(scope.write(batch));
  const auto folder = story.folder / "to-import";
  std::filesystem::create_directory(folder);
  std::ofstream(folder / story.imported) << story.imported_content;
  CHECK(must(import_folder(scope, folder)).records == 1);
  std::filesystem::remove_all(folder);
}

// Only the authority of a hold is free text; what is no code is refused and written nowhere.
void restrict_and_hold(const Story& story, Vault& vault, const std::string& path) {
  Lifecycle lifecycle = vault.lifecycle();
  CHECK_FAILS_WITH(lifecycle.suspend(path, story.reason), ErrorCode::kInvalidArgument);
  CHECK_FAILS_WITH(lifecycle.place_hold(path, story.reason), ErrorCode::kInvalidArgument);
  const HoldInfo hold = must(lifecycle.place_hold(path, "litigation", {story.authority, {}}));
  CHECK(must(lifecycle.holds(path)).at(0).authority == story.authority);
  const std::string held[] = {path};
  CHECK_FAILS_WITH(vault.erase(held, story.reason), ErrorCode::kHeld);
  CHECK_FAILS_WITH(must(vault.scope(path)).remove("large"), ErrorCode::kHeld);
  must(lifecycle.suspend(path, "objection"));
  must(must(vault.scope(path, RestrictedUse::kConsent)).get("large"));
  must(lifecycle.resume(path, "resolved"));
  must(lifecycle.release_hold(hold.id));
}

void tell(const Story& story) {
  must(new_key_file(story.key_file()));
  std::ofstream(story.passphrase_file()) << story.passphrase << '\n';
  CreateOptions options;
  options.root_folder = story.watched() / "roots";
  options.accept_unknown_medium = true;
  Vault vault =
      must(Vault::create(story.vault_folder(), Unlock::key_file(story.key_file()), options));
  const std::string data = story.tenant + "/" + story.data_class;
  must(vault.create_scope(story.tenant));
  must(vault.create_scope(story.other));
  must(vault.create_scope(data));
  ScopeOptions derived;
  derived.data_class = story.data_class;
  derived.derived_from = {data};
  write_records(story, must(vault.create_scope(story.other + "/" + story.subject, derived)));
  write_records(story, must(vault.create_scope(data + "/" + story.subject)));
  must(vault.record_export(data, 1, 2));
  const std::string missing[] = {story.tenant + "/" + story.unknown};
  CHECK_FAILS_WITH(vault.erase(missing, story.reason), ErrorCode::kNotFound);
  const std::string subject[] = {data + "/" + story.subject};
  restrict_and_hold(story, vault, subject[0]);
  const std::string certificate = must(vault.erase(subject, story.reason)).certificate;
  CHECK(story.markers.found_in(as_bytes(certificate)).empty());
  must(vault.change_unlock(Unlock::passphrase_file(story.passphrase_file())));
  const std::string tenant[] = {story.tenant};
  must(vault.erase(tenant, story.reason));
  must(vault.lifecycle().place_hold(story.other, "audit", {story.authority, {}}));
}

void end(const Story& story) {
  Vault vault =
      must(Vault::open(story.vault_folder(), Unlock::passphrase_file(story.passphrase_file())));
  CHECK(must(vault.check()).damages.empty());
  const auto certificate = story.watched() / "certificate";
  CHECK_FAILS_WITH(vault.destroy(certificate, story.reason), ErrorCode::kHeld);
  must(vault.lifecycle().release_hold(must(vault.lifecycle().holds()).at(0).id));
  must(vault.destroy(certificate, story.reason));
}

void check_clean(const Story& story, const std::string& where, ByteView bytes) {
  const auto found = story.markers.found_in(bytes);
  INFO(where << ": " << (found.empty() ? "" : found.front()));
  CHECK(found.empty());
}

TEST_CASE("no name, reason, content or unlock secret is in any byte that is written") {
  Story story;
  std::filesystem::create_directory(story.watched());
  const WriteRecorder recorder(story.watched());
  tell(story);
  must(read_key_file(posix_file_system(), story.key_file())).expose([&](ByteView key) {
    story.markers.watch_for("key", key);
  });
  end(story);

  const auto calls = recorder.calls();
  CHECK(calls.size() > 200);
  Bytes all;
  for (const RecordedCall& call : calls) {
    all.insert(all.end(), call.bytes.begin(), call.bytes.end());
    const ByteView names[] = {as_bytes(call.path), as_bytes(call.to)};
    for (const ByteView name : names) all.insert(all.end(), name.begin(), name.end());
  }
  check_clean(story, "what was written", all);
  for (const auto& file : files_below(story.watched()))
    check_clean(story, file, bytes_of_file(file));
  // The search would find them: they are in the files that the vault does not own.
  CHECK_FALSE(story.markers.found_in(bytes_of_file(story.key_file())).empty());
  CHECK_FALSE(story.markers.found_in(bytes_of_file(story.passphrase_file())).empty());
}

}  // namespace
}  // namespace quietus::test

// A document store: files of any size, every version of them kept, in constant memory.
//
//   document_store FOLDER [--accept-unknown-medium]
//
// A document's versions are records "contract/000001", "contract/000002", … of the class's scope. A
// version is never replaced. Files go in and come out as streams; a file that comes out appears
// under its name when it is whole, and not before.
#include <quietus/vault.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>

namespace {

namespace fs = std::filesystem;
using quietus::Error;
using quietus::ErrorCode;
using quietus::Result;

// A vault that is made in an empty folder, with its key and its root slots beside it.
Result<quietus::Vault> new_vault(const fs::path& folder, bool accept_unknown_medium) {
  QUIETUS_TRY(quietus::new_key_file(folder / "key"));
  quietus::CreateOptions options;
  options.root_folder = folder / "roots";  // in production: elsewhere, and in no backup
  options.accept_unknown_medium = accept_unknown_medium;
  return quietus::Vault::create(folder / "vault", quietus::Unlock::key_file(folder / "key"),
                                options);
}

std::string record_name(const std::string& document, unsigned number) {
  const auto digits = std::to_string(number);
  return document + "/" + std::string(6 - digits.size(), '0') + digits;
}

class Documents {
 public:
  explicit Documents(quietus::Scope scope) : scope_(std::move(scope)) {}

  // The number of the newest version, 0 when there is none.
  Result<unsigned> newest(const std::string& document) const {
    std::string last;  // records come in no particular order
    QUIETUS_TRY(scope_.list(document + "/", [&](const quietus::RecordInfo& info) -> Result<bool> {
      last = std::max(last, info.name);
      return true;
    }));
    unsigned number = 0;
    const std::string_view digits = std::string_view(last).substr(last.rfind('/') + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
  }

  // Stores the file as the document's next version; its number. When somebody else took that number
  // meanwhile the file is read again for the one after.
  Result<unsigned> check_in(const std::string& document, const fs::path& path) {
    for (;;) {
      QUIETUS_TRY_AS(const unsigned before, newest(document));
      std::ifstream file(path, std::ios::binary);
      if (!file) return Error(ErrorCode::kIo, "the file cannot be opened");
      const quietus::ByteSource source =
          [&file](quietus::MutableBytes buffer) -> Result<std::size_t> {
        file.read(reinterpret_cast<char*>(buffer.data()),
                  static_cast<std::streamsize>(buffer.size()));
        if (file.bad()) return Error(ErrorCode::kIo, "the file cannot be read");
        return static_cast<std::size_t>(file.gcount());
      };
      quietus::PutOptions options;
      options.content_type = "application/octet-stream";
      options.must_be_new = true;
      const auto put = scope_.put_stream(record_name(document, before + 1), source, options);
      if (put) return before + 1;
      const auto code = put.error().code();
      if (code != ErrorCode::kConflict && code != ErrorCode::kBusy) return put.error();
    }
  }

  // Writes a version into a file; false when there is no such version.
  Result<bool> check_out(const std::string& document, unsigned number, const fs::path& path) const {
    const fs::path part = path.string() + ".part";
    auto found = write_file(record_name(document, number), part);
    std::error_code failed;
    if (found && *found) {
      fs::rename(part, path, failed);
      if (failed) found = Error(ErrorCode::kIo, "the file cannot be put into its place");
    }
    fs::remove(part, failed);
    return found;
  }

 private:
  Result<bool> write_file(const std::string& name, const fs::path& path) const {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    const auto write = [&file](quietus::ByteView piece) -> Result<void> {
      const auto text = quietus::as_text(piece);
      if (file.write(text.data(), static_cast<std::streamsize>(text.size()))) return {};
      return Error(ErrorCode::kIo, "the file cannot be written");
    };
    QUIETUS_TRY_AS(const bool found, scope_.get_stream(name, write));
    if (!file.flush()) return Error(ErrorCode::kIo, "the file cannot be written");
    return found;
  }

  quietus::Scope scope_;
};

// A file to work with: so many MiB, each with a byte of its own.
Result<void> write_sample(const fs::path& path, int mib) {
  std::ofstream file(path, std::ios::binary);
  constexpr std::size_t kMib = std::size_t{1024} * 1024;
  for (int i = 0; i < mib; ++i) file << std::string(kMib, static_cast<char>('a' + i % 26));
  if (!file.flush()) return Error(ErrorCode::kIo, "the sample cannot be written");
  return {};
}

Result<void> run(const fs::path& folder, bool accept_unknown_medium) {
  QUIETUS_TRY_AS(auto vault, new_vault(folder, accept_unknown_medium));
  QUIETUS_TRY(vault.create_scope("acme"));
  QUIETUS_TRY_AS(auto scope, vault.create_scope("acme/documents"));
  Documents documents(scope);

  for (const int mib : {40, 1}) {
    QUIETUS_TRY(write_sample(folder / "draft", mib));
    QUIETUS_TRY_AS(const unsigned number, documents.check_in("contract", folder / "draft"));
    std::cout << "checked in version " << number << "\n";
  }
  QUIETUS_TRY(scope.list("contract/", [](const quietus::RecordInfo& info) -> Result<bool> {
    std::cout << info.name << ": " << info.size_bytes << " bytes\n";
    return true;
  }));

  QUIETUS_TRY_AS(const bool first, documents.check_out("contract", 1, folder / "contract-1"));
  QUIETUS_TRY_AS(const bool third, documents.check_out("contract", 3, folder / "contract-3"));
  std::cout << "version 1: " << (first ? "written" : "not there")
            << ", version 3: " << (third ? "written" : "not there") << "\n";

  // What was removed is unrecoverable in every copy of the vault once the scope is purged.
  QUIETUS_TRY(scope.remove(record_name("contract", 1)));
  QUIETUS_TRY_AS(const auto purged, vault.lifecycle().purge("acme/documents", "other"));
  std::cout << "purged: " << purged.keys_destroyed << " key destroyed, " << purged.records
            << " document kept\n";
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const bool accept = argc == 3 && std::string_view(argv[2]) == "--accept-unknown-medium";
  const auto done = argc == 2 || accept
                        ? run(argv[1], accept)
                        : Error(ErrorCode::kInvalidArgument,
                                "usage: document_store FOLDER [--accept-unknown-medium]");
  if (!done) std::cerr << name_of(done.error().code()) << ": " << done.error().context() << "\n";
  return done ? 0 : 1;
}

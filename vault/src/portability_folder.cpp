#include <quietus/portability.hpp>

#include "export_records.hpp"
#include "folder_tree.hpp"
#include "import_writer.hpp"
#include "names.hpp"

namespace quietus {
namespace {

class FolderImport {
 public:
  FolderImport(Scope& scope, const Progress& progress) : writer_(scope, progress) {}

  // Everything below an open folder. `prefix` is its path inside the import, with a '/' at the end.
  void folder(const FileDescriptor& opened, const std::string& prefix) {
    Result<std::vector<std::string>> names = folder_entries(opened);
    if (!names) return writer_.fail(prefix, std::move(names).error());
    for (const std::string& name : *names) {
      if (writer_.stopped()) return;
      entry(opened, name, prefix + name);
    }
  }

  TransferReport finish() { return writer_.finish(); }

 private:
  void entry(const FileDescriptor& parent, const std::string& name, const std::string& path) {
    Result<OpenedEntry> opened = open_entry(parent, name);
    if (!opened) return writer_.fail(path, std::move(opened).error());
    switch (opened->kind) {
      case EntryKind::kLink: return writer_.skip(path, "symbolic link");
      case EntryKind::kSpecial: return writer_.skip(path, "not a regular file");
      case EntryKind::kFolder: return folder(opened->descriptor, path + "/");
      case EntryKind::kFile: return file(opened->descriptor, path);
    }
  }

  void file(const FileDescriptor& descriptor, const std::string& path) {
    if (Result<void> named = validate_record_name(path); !named)
      return writer_.fail(path, std::move(named).error());
    Result<UnchangedFile> content = UnchangedFile::start(descriptor);
    if (!content) return writer_.fail(path, std::move(content).error());
    if (content->size() > kBatchedValueLimit)
      large(*content, path);
    else
      small(*content, path);
  }

  void small(UnchangedFile& content, const std::string& path) {
    Bytes value(content.size());
    Result<void> whole = fill(content, value);
    if (!whole) return writer_.fail(path, std::move(whole).error());
    if (Result<void> written = writer_.put(path, value, {}); !written)
      writer_.stop(std::move(written).error());
  }

  // Reads to the end and once more, which finds what was added meanwhile.
  static Result<void> fill(UnchangedFile& content, MutableBytes space) {
    while (!space.empty()) {
      QUIETUS_TRY_AS(const std::size_t got, content.read(space));
      space = space.subspan(got);
    }
    std::uint8_t beyond = 0;
    QUIETUS_TRY(content.read({&beyond, 1}));
    return {};
  }

  void large(UnchangedFile& content, const std::string& path) {
    std::optional<Error> unread;
    const ByteSource source = [&](MutableBytes space) {
      Result<std::size_t> got = content.read(space);
      if (!got) unread = got.error();
      return got;
    };
    Result<void> written = writer_.put_stream(path, source, content.size());
    if (unread) return writer_.fail(path, *std::move(unread));
    if (!written) writer_.stop(std::move(written).error());
  }

  ImportWriter writer_;
};

// Writes one record as a file: its size, or none when the record is gone. Nothing stays of a file
// that could not be written whole.
Result<std::optional<std::uint64_t>> export_file(const Scope& scope, const RecordInfo& record,
                                                 NewFileTree& tree) {
  QUIETUS_TRY_AS(const FileDescriptor file, tree.create(record.name));
  std::uint64_t size = 0;
  Result<bool> there = scope.get_stream(record.name, [&](ByteView piece) {
    size += piece.size();
    return write_all(file, piece);
  });
  if (there && *there) return std::optional(size);
  tree.remove(record.name);
  QUIETUS_TRY(there);
  return std::optional<std::uint64_t>();
}

}  // namespace

Result<TransferReport> import_folder(Scope& scope, const std::filesystem::path& folder,
                                     const Progress& progress) {
  QUIETUS_TRY_AS(const FileDescriptor root, open_folder(folder));
  FolderImport import(scope, progress);
  import.folder(root, "");
  return import.finish();
}

Result<TransferReport> export_folder(Vault& vault, const ExportSource& source,
                                     const std::filesystem::path& folder,
                                     const Progress& progress) {
  QUIETUS_TRY(vault.scope(source.scope_path));
  QUIETUS_TRY(vault.governance().check_export(source.scope_path));  // before there is a folder
  QUIETUS_TRY_AS(NewFileTree tree, NewFileTree::open(folder));
  return export_records(vault, source, progress, [&](const Scope& scope, const RecordInfo& record) {
    return export_file(scope, record, tree);
  });
}

}  // namespace quietus

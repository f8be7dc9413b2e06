#include "folder_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

namespace quietus {
namespace {

Error system_error(std::string_view doing, int number) {
  ErrorCode code = ErrorCode::kIo;
  if (number == ENOENT) code = ErrorCode::kNotFound;
  if (number == ENOSPC || number == EDQUOT) code = ErrorCode::kFull;
  if (number == EEXIST || number == ENOTDIR || number == ELOOP || number == EISDIR)
    code = ErrorCode::kAlreadyExists;
  if (number == ENAMETOOLONG || number == EILSEQ || number == EINVAL)
    code = ErrorCode::kInvalidArgument;
  return {code, std::string(doing) + ": " + std::generic_category().message(number)};
}

// An entry that cannot be read, whatever the reason.
Error unreadable(int number) {
  return {ErrorCode::kIo, system_error("cannot read", number).context()};
}

bool same_state(const struct stat& a, const struct stat& b) noexcept {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec && a.st_ctim.tv_sec == b.st_ctim.tv_sec &&
         a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

EntryKind kind_of(const struct stat& status) noexcept {
  if (S_ISREG(status.st_mode)) return EntryKind::kFile;
  if (S_ISDIR(status.st_mode)) return EntryKind::kFolder;
  return S_ISLNK(status.st_mode) ? EntryKind::kLink : EntryKind::kSpecial;
}

// The elements of a relative path; kInvalidArgument when one of them leads elsewhere than down.
Result<std::vector<std::string>> elements_of(std::string_view path) {
  std::vector<std::string> elements;
  while (true) {
    const std::size_t end = path.find('/');
    const std::string_view element = path.substr(0, end);
    if (element.empty() || element == "." || element == ".." ||
        element.find('\0') != std::string_view::npos)
      return Error(ErrorCode::kInvalidArgument, "the name is no path inside a folder");
    elements.emplace_back(element);
    if (end == std::string_view::npos) return elements;
    path.remove_prefix(end + 1);
  }
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (number_ >= 0) (void)close(number_);
}

Result<FileDescriptor> open_folder(const std::filesystem::path& path) {
  FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) return folder;
  const Error error = system_error("cannot open the folder " + path.string(), errno);
  return Error(error.code() == ErrorCode::kNotFound ? ErrorCode::kNotFound : ErrorCode::kIo,
               error.context());
}

Result<std::vector<std::string>> folder_entries(const FileDescriptor& folder) {
  // The stream takes a descriptor of its own with it.
  const int own = openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return unreadable(errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(own), closedir);
  if (!stream) return unreadable(errno);
  std::vector<std::string> names;
  errno = 0;
  // One stream, one thread: readdir() is safe here.
  while (const dirent* entry = readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe)
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return unreadable(errno);
  std::sort(names.begin(), names.end());
  return names;
}

Result<OpenedEntry> open_entry(const FileDescriptor& folder, const std::string& name) {
  struct stat status {};
  if (fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return unreadable(errno);
  const EntryKind kind = kind_of(status);
  if (kind == EntryKind::kLink || kind == EntryKind::kSpecial)
    return OpenedEntry{kind, FileDescriptor(-1)};
  FileDescriptor opened(
      openat(folder.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (opened.get() < 0 || fstat(opened.get(), &status) != 0) return unreadable(errno);
  if (kind_of(status) != kind)
    return Error(ErrorCode::kChanged, "replaced by something else while it was opened");
  return OpenedEntry{kind, std::move(opened)};
}

Result<UnchangedFile> UnchangedFile::start(const FileDescriptor& file) {
  struct stat before {};
  if (fstat(file.get(), &before) != 0) return unreadable(errno);
  return UnchangedFile(file.get(), before);
}

Result<std::size_t> UnchangedFile::read(MutableBytes to) {
  ssize_t got = -1;
  do {
    got = ::read(descriptor_, to.data(), to.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) return unreadable(errno);
  done_ += static_cast<std::uint64_t>(got);
  if (got > 0 && done_ <= size()) return static_cast<std::size_t>(got);
  struct stat after {};
  if (fstat(descriptor_, &after) != 0) return unreadable(errno);
  if (done_ != size() || !same_state(before_, after))
    return Error(ErrorCode::kChanged, "the file changed while it was read");
  return std::size_t{0};
}

Result<NewFileTree> NewFileTree::open(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    return Error(ErrorCode::kIo,
                 "cannot make the folder " + folder.string() + ": " + failed.message());
  QUIETUS_TRY_AS(FileDescriptor root, open_folder(folder));
  return NewFileTree(std::move(root));
}

Result<FileDescriptor> NewFileTree::descend(const std::vector<std::string>& elements, bool make) {
  FileDescriptor at(fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
  if (at.get() < 0) return system_error("cannot open the folder", errno);
  for (std::size_t i = 0; i + 1 < elements.size(); ++i) {
    const char* name = elements[i].c_str();
    if (make && mkdirat(at.get(), name, 0700) != 0 && errno != EEXIST)
      return system_error("cannot make a folder for it", errno);
    FileDescriptor next(openat(at.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (next.get() < 0) return system_error("cannot make a folder for it", errno);
    at = std::move(next);
  }
  return at;
}

Result<FileDescriptor> NewFileTree::create(std::string_view path) {
  QUIETUS_TRY_AS(const std::vector<std::string> elements, elements_of(path));
  QUIETUS_TRY_AS(const FileDescriptor folder, descend(elements, true));
  FileDescriptor file(openat(folder.get(), elements.back().c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) return system_error("cannot make the file", errno);
  return file;
}

void NewFileTree::remove(std::string_view path) {
  const Result<std::vector<std::string>> elements = elements_of(path);
  if (!elements) return;
  const Result<FileDescriptor> folder = descend(*elements, false);
  if (folder) (void)unlinkat(folder->get(), elements->back().c_str(), 0);
}

Result<void> write_all(const FileDescriptor& file, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("cannot write the file", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace quietus

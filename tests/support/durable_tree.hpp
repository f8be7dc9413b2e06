// What a file system would hold after a power cut, if it kept exactly what was synced: the content
// of a file as of its last sync, the entries of a folder as of its last sync.
#pragma once

#include <quietus/result.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>

namespace quietus::test {

// Told of every change after it was made on the real disk. What was there before is taken to be
// durable, as is every folder.
class DurableTree {
 public:
  using Path = std::filesystem::path;
  // What of a file is durable; shared by all its names and by those who have it open, who set it
  // when they sync.
  using Content = std::shared_ptr<Bytes>;

  // To be called before a file that may be there already is written, renamed over or removed. Null
  // when there is none.
  Content know(const Path& path) {
    const auto entry = current_.find(path);
    if (entry != current_.end()) return entry->second;
    if (durable_.contains(path) || !std::filesystem::is_regular_file(path)) return nullptr;
    return current_[path] = durable_[path] = std::make_shared<Bytes>(bytes_of(path));
  }

  Content created(const Path& path) { return current_[path] = std::make_shared<Bytes>(); }
  void removed(const Path& path) { current_.erase(path); }
  void renamed(const Path& from, const Path& to) {
    auto entry = current_.extract(from);
    if (entry.empty()) return;
    current_[to] = std::move(entry.mapped());
  }
  void synced_folder(const Path& folder) {
    for (const Path& path : known_paths()) {
      if (folder_of(path) != plain(folder)) continue;
      const auto entry = current_.find(path);
      if (entry == current_.end())
        durable_.erase(path);
      else
        durable_[path] = entry->second;
    }
  }

  // Makes the real disk hold what was durable, and nothing else of what is known here.
  void restore() {
    for (const Path& path : known_paths()) {
      const auto entry = durable_.find(path);
      if (entry == durable_.end())
        std::filesystem::remove(path);
      else
        write(path, *entry->second);
    }
    current_ = durable_;
  }

 private:
  static Path plain(const Path& folder) {
    return folder.has_filename() ? folder : folder.parent_path();
  }
  static Path folder_of(const Path& path) {
    return path.has_parent_path() ? path.parent_path() : Path(".");
  }
  static Bytes bytes_of(const Path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  static void write(const Path& path, const Bytes& content) {
    std::filesystem::remove(path);
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(content.data()),
               static_cast<std::streamsize>(content.size()));
    file.close();
    std::filesystem::permissions(path, std::filesystem::perms(0600));
  }
  std::set<Path> known_paths() const {
    std::set<Path> paths;
    for (const auto& entry : current_) paths.insert(entry.first);
    for (const auto& entry : durable_) paths.insert(entry.first);
    return paths;
  }

  std::map<Path, Content> current_;
  std::map<Path, Content> durable_;
};

}  // namespace quietus::test

#include "vault_header.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text_encoding.hpp"
#include "evidence/certificate.hpp"

namespace quietus {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMaxHeader = 65536;
constexpr std::int64_t kFormat = 1;

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string text_member(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

}  // namespace

std::string log_origin(const VaultId& vault, const InstanceId& instance) {
  std::string origin = log_origin(vault);
  if (instance != InstanceId{}) origin += "/" + to_hex(instance);
  return origin;
}
std::string log_origin(const VaultHeader& header) {
  return log_origin(header.vault, header.instance);
}

Bytes encode_header(const VaultHeader& header) {
  Json json;
  json["format"] = kFormat;
  json["vault_id"] = to_hex(header.vault);
  if (header.instance != InstanceId{}) json["instance_id"] = to_hex(header.instance);
  json["root"] = {{"provider", header.provider}, {"path", header.root_folder.string()}};
  const std::string text = json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
  return {text.begin(), text.end()};
}

Result<VaultHeader> read_header(FileSystem& files, const std::filesystem::path& path) {
  QUIETUS_TRY_AS(const Bytes content, read_file(files, path, kMaxHeader));
  const Json json = Json::parse(content.begin(), content.end(), nullptr, false);
  const Error corrupt(ErrorCode::kCorrupt, path.string() + ": damaged");
  if (json.is_discarded()) return corrupt;
  const Json* format = member(json, "format");
  if (format == nullptr || !format->is_number_integer()) return corrupt;
  if (format->get<std::int64_t>() > kFormat)
    return Error(ErrorCode::kUnsupported,
                 path.string() + ": written by a newer version of quietus");
  if (format->get<std::int64_t>() != kFormat) return corrupt;
  const Json* root = member(json, "root");
  const auto vault = from_hex(text_member(json, "vault_id"));
  if (root == nullptr || !vault || vault->size() != std::tuple_size_v<VaultId>) return corrupt;
  VaultHeader header;
  std::copy(vault->begin(), vault->end(), header.vault.begin());
  if (member(json, "instance_id") != nullptr) {
    const auto instance = from_hex(text_member(json, "instance_id"));
    if (!instance || instance->size() != std::tuple_size_v<InstanceId>) return corrupt;
    std::copy(instance->begin(), instance->end(), header.instance.begin());
  }
  header.provider = text_member(*root, "provider");
  header.root_folder = text_member(*root, "path");
  if (header.provider != "file")
    return Error(ErrorCode::kUnsupported, path.string() + ": unknown root provider");
  if (!header.root_folder.is_absolute()) return corrupt;
  return header;
}

}  // namespace quietus

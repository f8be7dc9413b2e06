// usage: cxx17 FOLDER. The life of one record from C++17, which has the C interface.
#include <quietus/quietus.h>

#include <cstdio>
#include <memory>
#include <string>
#include <type_traits>

namespace {

struct Close {
  void operator()(quietus_vault vault) const { quietus_close(vault); }
  void operator()(quietus_scope scope) const { quietus_close_scope(scope); }
};
template <class Handle>
using Held = std::unique_ptr<std::remove_pointer_t<Handle>, Close>;

bool is(int wanted, int answer, const char* what) {
  if (answer == wanted) return true;
  std::fprintf(stderr, "%s: %s: %s\n", what, quietus_code_name(answer), quietus_last_error());
  return false;
}

bool live(const std::string& folder) {
  const std::string key = folder + "/key", roots = folder + "/roots";
  quietus_unlock unlock{sizeof unlock, key.c_str(), nullptr};
  quietus_create_options options{sizeof options, roots.c_str(), 0, 1};
  quietus_vault vault = nullptr;
  if (!is(QUIETUS_OK, quietus_new_key_file(key.c_str()), "key file") ||
      !is(QUIETUS_OK, quietus_create((folder + "/vault").c_str(), &unlock, &options, &vault),
          "create"))
    return false;
  const Held<quietus_vault> close_vault(vault);
  quietus_scope scope = nullptr;
  if (!is(QUIETUS_OK, quietus_create_scope(vault, "acme", nullptr, &scope), "scope")) return false;
  const Held<quietus_scope> close_scope(scope);

  std::string read, certificate, pem(1024, '\0');
  const auto append = [](void* context, const uint8_t* data, size_t size) {
    static_cast<std::string*>(context)->append(reinterpret_cast<const char*>(data), size);
    return 0;
  };
  const auto keep = [](void* context, const quietus_erasure* erasure) {
    static_cast<std::string*>(context)->assign(erasure->certificate, erasure->certificate_size);
    return 0;
  };
  const char* const scopes[] = {"acme"};
  std::size_t size = 0;
  return is(QUIETUS_OK, quietus_put(scope, "greeting", "hello", 5, nullptr, nullptr), "put") &&
         is(QUIETUS_OK, quietus_get_view(scope, "greeting", append, &read), "get") &&
         read == "hello" &&
         is(QUIETUS_OK, quietus_erase(vault, scopes, 1, "contract-ended", keep, &certificate),
            "erase") &&
         is(QUIETUS_EERASED, quietus_get_view(scope, "greeting", append, &read), "get erased") &&
         is(QUIETUS_OK, quietus_issuing_key_pem(vault, pem.data(), pem.size(), &size), "key") &&
         is(QUIETUS_OK,
            quietus_verify_certificate(certificate.data(), certificate.size(), pem.c_str(), nullptr,
                                       nullptr),
            "verify");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2 || !live(arguments[1])) return 1;
  std::printf("done with %s\n", quietus_version());
  return 0;
}

#include "import/presets.h"

namespace tokend {
namespace {

constexpr Preset kPresets[] = {
    {.table = "pm_api_token",
     .columns = "token=token,expires_at=expires,created_at=created_at?,updated_at=updated_at?,"
                "source_id=id?,use_count=usage_count?,status=status?,active=is_active?,"
                "revoked=revoked?,revoked_at=revoked_at?"},
    {.table = "auth_user_tokens",
     .columns = "token=token,owner=user_id,expires_at=expires_at,scopes=scopes?,status=status?,"
                "type=token_type?,"
                "created_at=created_at?,updated_at=updated_at?,last_used_at=last_used_at?,"
                "source_id=id?,active=is_active?,revoked=revoked?,revoked_at=revoked_at?"},
    {.table = "api_token",
     .columns = "key_hex=token,owner=account_id,name=name?,expires_at=expires_at,"
                "created_at=created_at?,updated_at=updated_at?,last_used_at=last_accessed?,"
                "source_id=id?,scopes=scopes?,status=status?,active=is_active?,revoked=revoked?,"
                "revoked_at=revoked_at?"},
    {.table = "api_token_bin",
     .columns = "key_binary=token_hash,owner=owner,revoked=revoked,expires_at=expires_epoch"},
};

}  // namespace

std::span<const Preset> Presets() { return kPresets; }

const Preset* FindPreset(std::string_view table) {
  for (const Preset& preset : kPresets) {
    if (preset.table == table) return &preset;
  }
  return nullptr;
}

}  // namespace tokend

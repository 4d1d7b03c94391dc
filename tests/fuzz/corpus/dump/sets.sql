REPLACE INTO pm_api_token SET id=1, token='abc', expires='2031-01-01';
INSERT INTO auth_user_tokens (user_id, token, token_type, expires_at) VALUES (1,'t','api',NULL) ON DUPLICATE KEY UPDATE token='x';

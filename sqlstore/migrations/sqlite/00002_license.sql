-- +goose Up
-- Licenses are spelled as Go and EMQX spell them. A field of that name in a payload
-- stays as it was written: decoding reads both spellings.
UPDATE records SET kind = 'license' WHERE kind = 'licence';
UPDATE changes SET kind = 'license' WHERE kind = 'licence';

-- A sealed secret is found by its entry's kind. The ciphertext stays bound to the old
-- one, and opens with it: no key is needed here.
UPDATE records SET key = 'license' || substr(key, 8), payload = json_set(payload, '$.kind', 'license')
	WHERE kind = 'secret' AND key LIKE 'licence/%';
UPDATE changes SET key = 'license' || substr(key, 8), payload = json_set(payload, '$.kind', 'license')
	WHERE kind = 'secret' AND key LIKE 'licence/%';

-- The audit is found by kind and key of what was changed.
UPDATE records SET parent = 'license' || substr(parent, 8), payload = json_set(payload, '$.kind', 'license')
	WHERE kind = 'audit' AND parent LIKE 'licence/%';
UPDATE changes SET parent = 'license' || substr(parent, 8), payload = json_set(payload, '$.kind', 'license')
	WHERE kind = 'audit' AND parent LIKE 'licence/%';
UPDATE records SET parent = 'secret/license' || substr(parent, 15), payload = json_set(payload, '$.key', 'license' || substr(parent, 15))
	WHERE kind = 'audit' AND parent LIKE 'secret/licence/%';
UPDATE changes SET parent = 'secret/license' || substr(parent, 15), payload = json_set(payload, '$.key', 'license' || substr(parent, 15))
	WHERE kind = 'audit' AND parent LIKE 'secret/licence/%';

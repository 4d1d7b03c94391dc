"""A dump of an api_token table as mysqldump writes it, and the same tokens for `redis-cli --pipe`.

Row i is a function of i alone: two in five never expire, three in twenty have expired, the others
expire years from now; the token's digest, an account of one in a million, a name, times.
"""

import hashlib
import time

ROWS_PER_STATEMENT = 5000
NAMES = ("ci deploy", "grafana", "terraform", "mobile app", "O\\'Reilly", "two\\nlines", "Zoë", "")

HEAD = """-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET TIME_ZONE='+00:00' */;
DROP TABLE IF EXISTS `api_token`;
CREATE TABLE `api_token` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `token` char(64) NOT NULL,
  `account_id` bigint unsigned NOT NULL,
  `name` varchar(255) NOT NULL DEFAULT '',
  `created_at` timestamp NULL DEFAULT NULL,
  `updated_at` timestamp NULL DEFAULT NULL,
  `last_accessed` timestamp NULL DEFAULT NULL,
  `expires_at` timestamp NULL DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `token` (`token`),
  KEY `account_id` (`account_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
LOCK TABLES `api_token` WRITE;
"""
TAIL = "UNLOCK TABLES;\n-- Dump completed on 2026-01-01  0:00:00\n"


def _token(seed, i):
    return hashlib.sha256(f"bench_{seed}_{i}".encode()).hexdigest()


def _account(i):
    return i * 2654435761 % 1_000_003


def _expiry(i):
    """In Unix seconds; None = never."""
    share = i * 40503 % 100
    if share < 40:
        return None
    return 1577836800 + i % 100_000_000 if share < 55 else 1924992000 + i % 150_000_000


def _quoted(seconds):
    return "'%04d-%02d-%02d %02d:%02d:%02d'" % time.gmtime(seconds)[:6]


def write_sql(path, rows, seed):
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD)
        for first in range(1, rows + 1, ROWS_PER_STATEMENT):
            values = []
            for i in range(first, min(first + ROWS_PER_STATEMENT, rows + 1)):
                expiry = _expiry(i)
                created = 1600000000 + i % 90_000_000
                values.append(
                    f"({i},'{_token(seed, i)}',{_account(i)},'{NAMES[i % len(NAMES)]}',"
                    f"{_quoted(created)},{_quoted(created + i % 86400)},"
                    f"{_quoted(created + 100_000) if i % 2 else 'NULL'},"
                    f"{_quoted(expiry) if expiry else 'NULL'})")
            file.write("INSERT INTO `api_token` VALUES " + ",".join(values) + ";\n")
        file.write(TAIL)


def write_redis(path, rows, seed):
    """SET digest account, with its expiry where it has one; those that have expired are left out."""
    with open(path, "wb") as file:
        for first in range(1, rows + 1, ROWS_PER_STATEMENT):
            commands = []
            for i in range(first, min(first + ROWS_PER_STATEMENT, rows + 1)):
                expiry = _expiry(i)
                if expiry is not None and expiry < 1924992000:
                    continue
                words = ["SET", _token(seed, i), str(_account(i))]
                if expiry is not None:
                    words += ["EXAT", str(expiry)]
                commands.append(f"*{len(words)}\r\n" +
                                "".join(f"${len(word)}\r\n{word}\r\n" for word in words))
            file.write("".join(commands).encode("ascii"))

-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
--
-- Host: localhost    Database: app
-- ------------------------------------------------------
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40101 SET NAMES utf8mb4 */;
CREATE TABLE `api_token` (
  `id` int NOT NULL AUTO_INCREMENT,
  `hashed_token` char(64) NOT NULL,
  `account_id` int NOT NULL,
  `name` varchar(255) DEFAULT NULL,
  `created_at` timestamp NULL DEFAULT NULL,
  `updated_at` timestamp NULL DEFAULT NULL,
  `last_accessed` datetime DEFAULT NULL,
  `expires_at` datetime DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `api_token` VALUES (1,'abababababababababababababababababababababababababababababababab',7,'laptop','2024-01-02 03:04:05',NULL,NULL,'2031-05-01 00:00:00'),(2,'CDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCD',8,NULL,'0000-00-00 00:00:00',NULL,NULL,NULL);
-- Dump completed on 2024-05-01 12:00:00

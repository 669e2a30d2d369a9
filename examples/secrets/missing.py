# Databricks notebook source
dbutils.secrets.get(scope="example", key="no-such-key")

# Databricks notebook source
print("ran")

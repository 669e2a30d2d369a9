# Databricks notebook source
print("published")

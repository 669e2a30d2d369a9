# Databricks notebook source
raise ConnectionError("the primary source is down")
